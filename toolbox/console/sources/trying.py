"""A request tried on a source's page, and a signed sample sent to the local pipeline."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from pipeline.errors import PipelineError
from toolbox.console.sources.data import SentSample, load_named
from toolbox.deployments import running
from toolbox.sources.rehearsal import compiled
from toolbox.sources.samples import load_samples
from toolbox.sources.trial import take_trial
from toolbox.sources.trial_requests import request_of_body, requests_captured
from toolbox.terminal.nearest import unknown
from toolbox.traffic.requests import make_requests
from toolbox.traffic.sender import send_all

if TYPE_CHECKING:
    from collections.abc import Mapping

    from settings.source.loader import LoadedSource
    from toolbox.console.scene import ConsoleScene
    from toolbox.sources.trial import TriedWay
    from toolbox.sources.trial_requests import TriedRequest
    from toolbox.traffic.sender import FrontDoorAnswer

#: What is pasted has no file; this stands for its name.
CAPTURE = "the capture"


class TryingError(PipelineError):
    """A request cannot be tried, or a sample not be sent."""


@dataclass(frozen=True)
class TryForm:
    """The form of a trial. What was typed as the secret is in no answer.

    Parameters
    ----------
    headers : str
        A line each, `Name: value`.
    captured : str
        A curl command, raw HTTP or a HAR file, in the place of body and headers.
    """

    body: str = ""
    headers: str = ""
    captured: str = ""
    sign: bool = True

    @classmethod
    def of(cls, fields: Mapping[str, str]) -> TryForm:
        """Read what was sent; a browser writes CR LF for each line of a text."""
        text = {
            name: fields.get(name, "").replace("\r\n", "\n") for name in ("headers", "captured")
        }
        body = fields.get("body", "").replace("\r\n", "\n")
        return cls(body, text["headers"], text["captured"], sign="sign" in fields)


@dataclass(frozen=True)
class TryView:
    """The page of a trial.

    Parameters
    ----------
    tried : list[TriedWay]
        What became of each request.
    """

    name: str
    form: TryForm
    samples: list[str]
    tried: list[TriedWay]

    def document(self) -> dict[str, Any]:
        """Return what `mozdef-ef source try --json` prints."""
        return {"source": self.name, "requests": [one.document() for one in self.tried]}


def read_form(scene: ConsoleScene, name: str, sample: str) -> TryView:
    """Return the page with a sample's request filled in, or with nothing."""
    source = load_named(scene, name)
    samples = {one.name: one for one in load_samples(source)}
    if sample and sample not in samples:
        raise unknown(f"sample of {name}", sample, samples)
    form = TryForm()
    if sample:
        found = samples[sample]
        headers = "\n".join(f"{key}: {value}" for key, value in found.headers.items())
        form = TryForm(found.content.decode("utf-8", "replace"), headers)
    return TryView(name, form, list(samples), [])


def try_form(scene: ConsoleScene, name: str, form: TryForm, secret: str) -> TryView:
    """Take what a form has through the pipeline's own steps; nothing is sent.

    Raises
    ------
    PipelineError
        When it is no request.
    """
    source = load_named(scene, name)
    secrets = [secret] if secret else []
    tried = _captured(source, form, secrets) if form.captured else [_given(source, form, secrets)]
    with compiled({name: source}) as catalog:
        ways = [take_trial(source, catalog, one) for one in tried]
    return TryView(name, form, [one.name for one in load_samples(source)], ways)


def _given(source: LoadedSource, form: TryForm, secrets: list[str]) -> TriedRequest:
    headers = {}
    for line in filter(None, map(str.strip, form.headers.split("\n"))):
        name, colon, value = line.partition(":")
        if not colon or not name.strip():
            raise TryingError(f"{line[:60]!r} is no header; write a line 'Name: value' for each")
        headers[name.strip()] = value.strip()
    return request_of_body(source, form.body.encode(), headers, secrets, sign=form.sign)


def _captured(source: LoadedSource, form: TryForm, secrets: list[str]) -> list[TriedRequest]:
    with TemporaryDirectory(prefix="mozdef-ef-try-") as folder:
        file = Path(folder) / "capture"
        file.write_text(form.captured, encoding="utf-8")
        try:
            found = requests_captured(source, [file], "", secrets, sign=form.sign)
        except PipelineError as error:
            told = [line.replace(str(file), CAPTURE) for line in error.lines]
            raise TryingError("\n".join(told)) from None
    return [replace(one, label=one.label.replace(str(file), CAPTURE)) for one in found]


def send_sample(scene: ConsoleScene, name: str, sample: str) -> SentSample:
    """Sign a sample as its sender would, and send it to the local pipeline.

    Raises
    ------
    PipelineError
        When this console may not, or the pipeline is out of reach.
    """
    scene.require_writable()
    if not scene.where.local:
        raise TryingError("samples are sent on the laptop alone: their events are made up")
    source, where = load_named(scene, name), running(scene.state)
    if name not in where.queues:
        raise unknown("source in the running pipeline", name, where.queues)
    if sample not in {one.name for one in load_samples(source)}:
        raise unknown(f"sample of {name}", sample, [one.name for one in load_samples(source)])
    secret = next(iter(where.parameters.get(name, {}).values()), "\n").splitlines()[0]
    answers: list[FrontDoorAnswer] = []
    requests = make_requests(source, [sample], secret=secret, count=1)
    asyncio.run(send_all(where.api, requests, on_answer=answers.append))
    answer = answers[0]
    return SentSample(
        sample, answer.status, answer.id, answer.message or answer.error, answer.accepted
    )
