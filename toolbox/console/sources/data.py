"""What the pages of sources show: the same as `mozdef-ef source list` and `source show`."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from pipeline.errors import PipelineError
from settings.source.loader import load_source
from toolbox.console.events.data import read_events
from toolbox.deployments import running
from toolbox.sources.fate import fates
from toolbox.sources.samples import load_samples
from toolbox.sources.sound import read_sound
from toolbox.sources.told import explained, listed_source
from toolbox.terminal.nearest import unknown

if TYPE_CHECKING:
    from settings.source.loader import LoadedSource
    from toolbox.console.events.data import EventsPage
    from toolbox.console.scene import ConsoleScene
    from toolbox.sources.fate import TypeFate
    from toolbox.sources.samples import LoadedSample

_MOST_TEXT = 200_000
#: Events that a source's page lists, and for how long it looks for them.
_LAST, _LAST_SECONDS = 10, 3.0


class SourceUnreadableError(PipelineError):
    """A source's folder is broken."""


@dataclass(frozen=True)
class SourcesView:
    """Every source of this machine by the kind of its sender."""

    wanted: str
    kinds: dict[str, list[dict[str, Any]]]
    broken: list[str]

    @property
    def number(self) -> int:
        """How many are shown."""
        return sum(map(len, self.kinds.values()))


@dataclass(frozen=True)
class SampleTold:
    """A sample: what it is for, and how it has to end."""

    name: str
    description: str
    outcome: str
    can_be_sent: bool


@dataclass(frozen=True)
class SourceView:
    """One source.

    Parameters
    ----------
    told : list[tuple[str, list[str]]]
        Each setting in words, a line or several.
    address : str
        Where its sender sends to; empty where that is not known.
    can_send : bool
        Whether this console may send a signed sample.
    last : EventsPage | None
        Its newest events of a day; None where the archive does not say.
    last_lacks : tuple[str, ...]
        Why it does not.
    sent : SentSample | None
        What was sent just now.
    """

    name: str
    title: str
    origin: str
    told: list[tuple[str, list[str]]]
    needs: list[str]
    types: list[TypeFate]
    samples: list[SampleTold]
    settings_text: str
    address: str
    can_send: bool
    last: EventsPage | None
    last_lacks: tuple[str, ...] = ()
    sent: SentSample | None = None

    def document(self) -> dict[str, Any]:
        """Return what the JSON twin has."""
        last = self.last.document() if self.last else None
        return {**asdict(replace(self, last=None)), "last": last}


@dataclass(frozen=True)
class SentSample:
    """What the front door answered to a signed sample."""

    sample: str
    status: int
    id: str
    message: str
    accepted: bool


def read_sources(scene: ConsoleScene, wanted: str) -> SourcesView:
    """Return the sources whose name, title or kind has a text."""
    listed, broken = read_sound(scene.folders(), lambda folder: listed_source(load_source(folder)))
    kinds: dict[str, list[dict[str, Any]]] = {}
    text = wanted.strip().casefold()
    for one in listed.values():
        if text in f"{one['name']} {one['title']} {one['kind']}".casefold():
            kinds.setdefault(one["kind"] or "other", []).append(one)
    return SourcesView(wanted, dict(sorted(kinds.items())), broken)


def load_named(scene: ConsoleScene, name: str) -> LoadedSource:
    """Return one source.

    Raises
    ------
    PipelineError
        When there is none, or its folder is broken.
    """
    folders = scene.folders()
    if name not in folders:
        raise unknown("source", name, folders)
    sound, broken = read_sound({name: folders[name]}, load_source)
    if broken:
        raise SourceUnreadableError(broken[0])
    return sound[name]


def read_source(scene: ConsoleScene, name: str, sent: SentSample | None = None) -> SourceView:
    """Return how one source is set."""
    source = load_named(scene, name)
    kind = source.settings.parameter
    parameter = scene.where.parameters.get(name) or (
        f"/<project>/{name}/<stage>/{kind}" if kind else "none"
    )
    document = explained(source, parameter)
    needs, route = document.pop("sender_needs"), source.settings.ingest != "poll"
    told = {"kind": source.settings.kind or "", "ingest": source.settings.ingest, **document}
    last, lacks = _last_events(scene, name)
    address = f"{running(scene.state).api}/{name}" if scene.where.local and route else ""
    return SourceView(
        name,
        source.settings.title,
        listed_source(source)["from"],
        [(key.replace("_", " "), _lines(value)) for key, value in told.items() if value != ""],
        needs,
        fates(source),
        [_sample(one) for one in load_samples(source)],
        (source.folder / "source.yaml").read_text("utf-8", "replace")[:_MOST_TEXT],
        address,
        bool(address) and scene.writable,
        last,
        lacks,
        sent,
    )


def _last_events(scene: ConsoleScene, name: str) -> tuple[EventsPage | None, tuple[str, ...]]:
    try:
        return read_events(scene, {"source": name}, most=_LAST, seconds=_LAST_SECONDS), ()
    except PipelineError as error:  # what else is known of the source is shown all the same
        return None, error.lines


def _lines(value: object) -> list[str]:
    return [str(one) for one in value] if isinstance(value, list) else [str(value)]


def _sample(sample: LoadedSample) -> SampleTold:
    expected = sample.settings.expect
    sendable = expected.proof_fits and sample.source.settings.ingest != "poll"
    return SampleTold(sample.name, sample.settings.description, expected.outcome, sendable)
