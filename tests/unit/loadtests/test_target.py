"""What a test of a deployed stack expects of its sources."""

from __future__ import annotations

from loadtests.target import as_deployed
from settings.source.loader import load_sources


def test_a_source_comes_in_as_the_stack_says() -> None:
    """Behind an HTTP API the receiver takes all, and a forgery is answered 401 and not 200."""
    sources = load_sources(["github", "generic"])
    described = {"github": {"ingest": "receiver"}, "generic": {"route": "/generic"}}
    ways = {name: one.settings.ingest for name, one in as_deployed(sources, described).items()}
    assert ways == {"github": "receiver", "generic": "direct"}
