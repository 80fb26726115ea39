"""What the shell completes beside commands and stages: sources, types of events, tickets."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from toolbox.project.finding import find_project

if TYPE_CHECKING:
    from collections.abc import Iterable

#: Of the tickets of the laptop, the oldest.
_MOST_TICKETS = 500


def sources(given: dict[str, Any]) -> Iterable[str]:
    """Return the names of the sources there are."""
    return sorted(_folders(given))


def types(given: dict[str, Any]) -> Iterable[str]:
    """Return the types of the samples of the one source that is named."""
    return sorted(_words(given)[1])


def words(given: dict[str, Any]) -> Iterable[str]:
    """Return the types and samples that can be sent of a source."""
    samples, kinds = _words(given)
    return dict.fromkeys([*sorted(kinds), *sorted(samples)])


def tickets(given: dict[str, Any]) -> Iterable[str]:
    """Return the tickets of the local pipeline; to ask a stack's queue would take and hide them."""
    if given.get("stack"):
        return ()
    from local.queue_look import look_at
    from toolbox.dead_letters.queue import tickets_of
    from toolbox.deployments import DEFAULT_STATE, running

    state = Path(given.get("state") or DEFAULT_STATE)
    where = running(find_project().home / state if state == DEFAULT_STATE else state)
    seen = islice(look_at(where, where.dead_letter_queue), _MOST_TICKETS)
    bucket = where.archive_bucket
    return dict.fromkeys(one for message in seen for one in tickets_of(message.body, bucket))


def _folders(given: dict[str, Any]) -> dict[str, Path]:
    from settings.source.loader import available_sources

    directory = given.get("sources")
    return available_sources(Path(directory) if directory else find_project().sources)


def _words(given: dict[str, Any]) -> tuple[set[str], set[str]]:
    from settings.source.loader import load_source
    from toolbox.traffic.requests import known_words

    name = given.get("source") or [*(given.get("names") or ()), *given["left"]][0]
    return known_words(load_source(_folders(given)[name]))
