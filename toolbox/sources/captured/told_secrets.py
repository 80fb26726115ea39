"""Finds the secret that a sender makes up and says once, in a webhook's first request."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pipeline.event.fields import find, path_of, path_text
from toolbox.sources.captured.places import is_of_the_way
from toolbox.sources.inference_values import scalar_paths

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from toolbox.sources.captured.request import CapturedRequest

_NAME = re.compile(r".*(secret|token)", re.IGNORECASE)
#: Which a setting can name.
_HEADER = re.compile(r"(?=.{1,64}$)[a-z0-9-]*(secret|token)", re.IGNORECASE)
#: What the receiver learns.
_VALUE = re.compile(r"[!-~]{16,200}")
#: So many are tried: any stranger can say some.
_MOST = 10


@dataclass(frozen=True)
class ToldSecret:
    """A text that can be the secret, in a request that is no event.

    Parameters
    ----------
    learn : dict[str, str]
        Where it is, as a handshake's rule says it.
    value : str
        Never shown.
    """

    request: CapturedRequest
    document: Any
    learn: dict[str, str]
    value: str = field(repr=False)

    @property
    def evidence(self) -> str:
        """Say where it was seen, and what proves it."""
        ((kind, name),) = self.learn.items()
        place = f"{'header' if kind == 'header' else 'field'} {name} of {self.request.place}"
        return f"{place} says the secret that the captured signature is made with: it is learned"

    @property
    def unproved(self) -> str:
        """Say that it is taken for no event."""
        (name,) = self.learn.values()
        return (
            f"{self.request.place} has nothing but {name}, which no captured signature is made "
            "with: it is taken for no event. See what the sender does with it"
        )

    @property
    def untold(self) -> str:
        """Say that events cannot be told from it."""
        (name,) = self.learn.values()
        return (
            f"{self.request.place} says the secret in {name}, and events have it as well: no rule "
            "is written, which would take them for it. See what else tells it from them"
        )

    def is_in(self, events: Sequence[tuple[CapturedRequest, Any]]) -> bool:
        """Tell whether an event has something in the same place, which is when its rule holds."""
        ((kind, name),) = self.learn.items()
        return any(
            find(document, path_of(name)) is not None
            if kind == "path"
            else any(name.lower() == one.lower() for one, _ in request.headers)
            for request, document in events
        )

    @property
    def rule(self) -> dict[str, Any]:
        """A rule that keeps it, and answers nothing else."""
        ((kind, name),) = self.learn.items()
        when = {"body" if kind == "path" else kind: {name: True}}
        return {"when": when, "proof": "none", "learn": self.learn}


def told_secrets(
    requests: Sequence[CapturedRequest], parsed: Sequence[tuple[CapturedRequest, Any]]
) -> list[ToldSecret]:
    """Return what can be a secret that is said: alone in a body, or in a header beside none.

    Parameters
    ----------
    parsed : Sequence[tuple[CapturedRequest, Any]]
        Those with a body, and what is in it.
    """
    without: list[tuple[CapturedRequest, Any]] = [(one, {}) for one in requests if not one.body]
    return [
        ToldSecret(one, document, learn, value)
        for one, document in [*without, *parsed]
        if one.method == "POST" and isinstance(document, dict)
        for learn, value in _said(one, document)
        if _VALUE.fullmatch(value)
    ]


def values_of(told: Sequence[ToldSecret]) -> list[str]:
    """Return what schemes are tried with."""
    return list(dict.fromkeys(one.value for one in told))[:_MOST]


def _said(one: CapturedRequest, document: dict[str, Any]) -> Iterator[tuple[dict[str, str], str]]:
    paths = list(scalar_paths(document))
    if not document:
        for name, value in one.headers:
            if _HEADER.fullmatch(name) and not is_of_the_way(name):
                yield {"header": name}, value
    elif len(paths) == 1 and _NAME.fullmatch(paths[0][-1]) and _is_one_text(document):
        yield {"path": path_text(paths[0])}, str(find(document, paths[0]))


def _is_one_text(document: Any) -> bool:
    """Tell whether nothing is beside the text that a document has: else it is an event."""
    while isinstance(document, dict) and len(document) == 1:
        (document,) = document.values()
    return isinstance(document, str)
