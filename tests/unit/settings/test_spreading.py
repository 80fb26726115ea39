"""Many sources: which service takes which, and that each service fits."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

from hypothesis import given
from hypothesis import strategies as st

from settings.config_check import check_config
from settings.source.authentication import TokenAuthentication
from settings.source.model import Source
from settings.spreading import (
    MOST_AUTHORIZERS,
    MOST_POLLED,
    MOST_SOURCES,
    authorizers,
    fits,
    only_polled,
    resources,
    spread,
)

STACK = "MozDef-EF-ingest-prod"
TOKEN = {"type": "token"}


def source(queue: str | None = None, *, polled: bool = False, feeds: int = 1) -> Source:
    found = Source.model_validate(
        {"version": 1, "title": "t", "authentication": TOKEN, "queue": {"name": queue}}
    )
    # Which API it is does not matter here.
    api = SimpleNamespace(feeds=dict.fromkeys(range(feeds)))
    return found.model_copy(update={"poll": api}) if polled else found


def names(count: int) -> list[str]:
    return [f"vendor-{number:03d}" for number in range(count)]


def test_the_feeds_of_polled_sources_count() -> None:
    """Each is a rule and two alarms: fifteen sources of ten feeds are 800 resources."""
    few, many = (
        {name: source(polled=number % 2 == 0, feeds=feeds) for number, name in enumerate(names(30))}
        for feeds in (2, 10)
    )
    # As synthesized, with silence_hours for each, a domain and a web ACL: 475.
    assert 475 <= resources(few) <= 500
    assert fits(STACK, few)
    assert not fits(STACK, many)
    services = spread(STACK, many)
    assert len(services) > 1
    assert all(fits(f"{STACK}99", {name: many[name] for name in one}) for one in services)


def test_the_authorizers_of_an_api_count() -> None:
    """There is one for each header that has a token, whatever its case, and for its absence."""
    sources = {
        f"{name}-{case}": source().model_copy(
            update={"authentication": TokenAuthentication(type="token", header=header)}
        )
        for name in names(MOST_AUTHORIZERS)
        for case, header in (("a", f"X-{name}"), ("b", f"x-{name.upper()}"))
    }
    assert authorizers(sources) == MOST_AUTHORIZERS
    assert fits(STACK, sources)
    received = source().model_copy(update={"ingest": "receiver"})
    assert fits(STACK, {**sources, "received": received})
    assert not fits(STACK, {**sources, "one": source()})
    services = spread(STACK, {**sources, "one": source()})
    # The one comes first by its name, and leaves no room for the last header.
    assert [len(one) for one in services] == [MOST_AUTHORIZERS * 2 - 1, 2]


def test_what_fits_is_left_together() -> None:
    sources = {name: source() for name in names(12)}
    assert fits(STACK, sources)
    assert spread(STACK, sources) == [names(12)]


def test_three_hundred_sources_are_in_services_that_fit() -> None:
    sources = {name: source(polled=number % 3 == 0) for number, name in enumerate(names(300))}
    assert not fits(STACK, sources)
    services = spread(STACK, sources)
    assert 300 / MOST_SOURCES <= len(services) <= 14
    assert all(fits(f"{STACK}99", {name: sources[name] for name in one}) for one in services)


def test_each_bound_is_one() -> None:
    shared = {name: source("one") for name in names(MOST_SOURCES + 1)}
    assert fits(STACK, dict(list(shared.items())[:-1]))
    assert not fits(STACK, shared)
    polled = {name: source("one", polled=True) for name in names(MOST_POLLED + 1)}
    assert not fits(STACK, polled)
    # A queue's name counts twice in the fan-out's environment, which ends before the sources do.
    assert not fits(STACK, {f"{name}-{'x' * 25}": source() for name in names(MOST_SOURCES)})


@given(st.lists(st.sampled_from(["a", "b", "c", None]), min_size=1, max_size=60))
def test_no_source_is_lost_or_twice_and_those_of_one_queue_are_together(
    queues: list[str | None],
) -> None:
    sources = {f"s-{number:02d}": source(queue) for number, queue in enumerate(queues)}
    services = spread(STACK, sources)
    assert sorted(name for one in services for name in one) == sorted(sources)
    of_queue: dict[str, set[int]] = {}
    for number, one in enumerate(services):
        for name in one:
            of_queue.setdefault(sources[name].queue.name or name, set()).add(number)
    assert all(len(found) == 1 for found in of_queue.values())


@given(st.integers(0, 40), st.integers(1, 90), st.booleans())
def test_each_service_has_a_source_with_a_route_as_far_as_there_are_any(
    routes: int, polls: int, first: bool
) -> None:
    """Or its template would be refused: API Gateway has no API without a route."""
    polled = [False] * routes + [True] * polls
    polled = polled if first else polled[::-1]
    sources = {f"s-{number:03d}": source(polled=one) for number, one in enumerate(polled)}
    services = [{name: sources[name] for name in one} for one in spread(STACK, sources)]
    assert sorted(name for one in services for name in one) == sorted(sources)
    assert all(one and fits(f"{STACK}99", one) for one in services)
    if routes >= len(services):
        assert not any(map(only_polled, services))


def test_a_stage_whose_sources_are_all_polled_is_told_to_have_a_route(tmp_path: Path) -> None:
    text = "service: ingest\nsources: [okta-system-log]\n"
    (tmp_path / "prod.yaml").write_text(text)
    (fault,) = check_config(tmp_path).faults
    assert fault.key == "sources"
    assert "add one that senders post to" in fault.expected
    (tmp_path / "prod.yaml").write_text(text.replace("[okta", "[generic, okta"))
    assert check_config(tmp_path).faults == []


def test_config_check_says_which_service_takes_which_source(tmp_path: Path) -> None:
    text = "version: 1\ntitle: t\nauthentication: {type: token}\nqueue: {name: one}\n"
    for name in names(MOST_SOURCES):
        (tmp_path / "sources" / name).mkdir(parents=True)
        (tmp_path / "sources" / name / "source.yaml").write_text(text)
    listed = ", ".join([*names(MOST_SOURCES), "github"])
    (tmp_path / "prod.yaml").write_text(f"service: ingest\nsources: [{listed}]\n")
    (fault,) = check_config(tmp_path).faults
    assert fault.key == "sources"
    assert "31 do not fit one stack" in fault.expected
    assert "service ingest: github; service ingest2: vendor-000, " in fault.expected


def test_more_sources_of_one_queue_than_fit_are_told_to_part(tmp_path: Path) -> None:
    text = "version: 1\ntitle: t\nauthentication: {type: token}\nqueue: {name: one}\n"
    for name in names(MOST_SOURCES + 1):
        (tmp_path / "sources" / name).mkdir(parents=True)
        (tmp_path / "sources" / name / "source.yaml").write_text(text)
    listed = ", ".join(names(MOST_SOURCES + 1))
    (tmp_path / "prod.yaml").write_text(f"service: ingest\nsources: [{listed}]\n")
    (fault,) = check_config(tmp_path).faults
    assert "these 31 share queues, and do not fit one stack" in fault.expected


def test_a_source_that_fits_no_stack_is_told_to_have_fewer_feeds(tmp_path: Path) -> None:
    (tmp_path / "sources" / "vendor").mkdir(parents=True)
    feeds = ", ".join(
        f"f{one}: {{path: /{one}, events: ., pagination: {{type: link}}}}" for one in range(200)
    )
    text = "version: 1\ntitle: t\ningest: poll\npoll:\n  base_url: https://a.example\n"
    text += f"  credential: {{type: header}}\n  feeds: {{{feeds}}}\n"
    (tmp_path / "sources" / "vendor" / "source.yaml").write_text(text)
    (tmp_path / "prod.yaml").write_text("service: ingest\nsources: [vendor, generic]\n")
    (fault,) = check_config(tmp_path).faults
    assert "vendor: alone it does not fit one stack" in fault.expected
