"""Delivered means searchable: all samples and examples, as MozDef takes them, in one index."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from tests.support.catalogue import built_in_samples
from toolbox.mozdef.index import MOST_FIELDS, Index
from toolbox.mozdef.worker import handled
from toolbox.sources.checking import ARRIVAL
from toolbox.sources.index_faults import fields_of, index_faults, message_faults, seen
from toolbox.sources.rehearsal import Rehearsal, make_secret
from toolbox.sources.samples import SampleRequest, authenticate
from toolbox.traffic.examples import real_payloads

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.event.compiled_source import Catalog
    from settings.source.loader import LoadedSource
    from toolbox.sources.index_faults import Seen

#: What one index has room for beside these is for private sources: `config check` counts a stage's.
MOST_OF_A_STAGE, SOURCES_OF_A_STAGE = 700, 20


@pytest.fixture(scope="module")
def messages(sources: dict[str, LoadedSource], catalog: Catalog) -> list[tuple[str, str, str, Any]]:
    """Source, sample, event type and message of everything that is delivered."""
    rehearsal = Rehearsal(sources, catalog, (make_secret(), make_secret()), now=ARRIVAL)
    return [*_of_samples(sources, rehearsal), *_of_examples(sources["github"], rehearsal)]


def _of_samples(
    sources: dict[str, LoadedSource], rehearsal: Rehearsal
) -> Iterator[tuple[str, str, str, Any]]:
    for name in sources:
        for sample in built_in_samples(name):
            for event in rehearsal.play(sample).delivered:
                yield name, sample.name, event.event_type, orjson.loads(event.message)


def _of_examples(github: LoadedSource, rehearsal: Rehearsal) -> Iterator[tuple[str, str, str, Any]]:
    for number, (kind, body) in enumerate(real_payloads()):
        raw, name = orjson.dumps(body), f"octokit-{number}"
        headers = {"Content-Type": "application/json", "X-GitHub-Event": kind}
        headers["X-GitHub-Delivery"] = name
        secret = rehearsal.secrets[0]
        headers |= authenticate(github, secret, raw, now=ARRIVAL, headers=headers)
        for event in rehearsal.take("github", SampleRequest(headers, raw), name).delivered:
            yield "github", name, event.event_type, orjson.loads(event.message)


@pytest.fixture(scope="module")
def all_seen(messages: list[tuple[str, str, str, Any]]) -> list[Seen]:
    return [item for name, sample, _, message in messages for item in seen(name, sample, [message])]


def test_mozdef_keeps_every_type_of_every_source(
    messages: list[tuple[str, str, str, Any]],
) -> None:
    assert len([one for one in messages if one[1].startswith("octokit")]) == 325
    lost = {
        (one[0], one[2]): handled(one[3]).why for one in messages if not handled(one[3]).document
    }
    assert lost == {}


def test_no_document_is_refused_in_any_order(all_seen: list[Seen]) -> None:
    every = sorted({one.source for one in all_seen})
    for seed in range(12):
        chance = random.Random(seed)
        chosen = chance.sample(every, SOURCES_OF_A_STAGE)
        order = [one for one in all_seen if one.source in chosen]
        chance.shuffle(order)
        index = Index()
        refused = [
            f"{one.where}: {why}" for one in order if (why := index.add(one.handled.document or {}))
        ]
        assert refused == [], f"seed {seed}"
        assert len(index.fields) == fields_of(order) <= MOST_OF_A_STAGE


def test_no_pair_of_documents_conflicts_and_no_map_has_no_end(
    all_seen: list[Seen], messages: list[tuple[str, str, str, Any]]
) -> None:
    assert index_faults(all_seen, {one.source for one in all_seen}) == []
    assert [fault for *_, message in messages for fault in message_faults(message)] == []


@pytest.mark.parametrize(
    ("one", "other", "faults"),
    [("", {"x": 1}, 1), ("true", {}, 1), ("", True, 0), ("", "x", 0), ("x", {}, 1), (True, {}, 1)],
)
def test_documents_of_which_the_index_refuses_one_are_named_whichever_comes_first(
    one: Any, other: Any, faults: int
) -> None:
    messages = [
        {"category": "c", "summary": "s", "tags": ["made-up"], "details": {"a": value}}
        for value in (one, other)
    ]
    found = [*seen("left", "1", messages[:1]), *seen("right", "2", messages[1:])]
    assert len(index_faults(found, {"left"})) == faults
    refused = []
    for order in (found, found[::-1]):
        index = Index()
        refused += [index.add(each.handled.document or {}) for each in order]
    assert any(refused) is bool(faults)


def document(details: Any) -> dict[str, Any]:
    return {"details": details}


@pytest.mark.parametrize(
    ("first", "second", "why"),
    [
        ({"a": "x"}, {"a": 1}, None),
        ({"a": 1.5}, {"a": "x"}, None),
        ({"a": "x"}, {"a": True}, None),
        ({"a": True}, {"a": "x"}, "details.a: a text, where the index has boolean"),
        ({"a": True}, {"a": 1}, "details.a: a number, where the index has boolean"),
        ({"a": True}, {"a": "false"}, None),
        ({"a": True}, {"a": ["true", "", None, False]}, None),
        ({"a": {"b": 1}}, {"a": 1}, "details.a: a number, where the index has an object"),
        ({"a": {"b": 1}}, {"a": None}, None),
        ({"a": {"b": 1}}, {"a": []}, None),
        ({"a": {"b": 1}}, {"a": [{"b": "x"}, {"c": 2}]}, None),
        ({"a": 1}, {"a": {}}, "details.a: an object, where the index has keyword"),
        ({"a": []}, {"a": {"b": 1}}, None),
        ({"a": None}, {"a": {"b": 1}}, None),
        ({"a": "x"}, {"a.b": 1}, "details.a: an object, where the index has keyword"),
        ({"a.b": 1}, {"a": {"b": "x", "c": 1}}, None),
        ({}, {"a": [1, {"b": 1}]}, "details.a: an object, where the index has keyword"),
        ({}, {"": 1}, "details.: '' is no name of a field"),
        ({}, {"a.": 1}, "details.a.: 'a.' is no name of a field"),
        ({}, {".a": 1}, "details..a: '.a' is no name of a field"),
        ({}, {"a..b": 1}, "details.a..b: 'a..b' is no name of a field"),
        ({}, {"a": "ü" * 16_383}, None),
        ({}, {"a": "ü" * 16_384}, "details.a: a text above 32,766 bytes"),
        ({}, {"a": float("nan")}, "details.a: a number that JSON has not"),
        ({}, {"sourceipaddress": "192.0.2.1"}, None),
        ({}, {"sourceipaddress": "2001:db8::1"}, None),
        ({}, {"sourceipaddress": None}, None),
        ({}, {"sourceipaddress": ""}, "details.sourceipaddress: a text, where the index has ip"),
        (
            {},
            {"sourceipaddress": "host"},
            "details.sourceipaddress: a text, where the index has ip",
        ),
        ({}, {"success": "yes"}, "details.success: a text, where the index has boolean"),
        ({}, {"apiversion": "1"}, "details.apiversion: a text, where the index has an object"),
    ],
)
def test_the_rules_of_dynamic_mapping(first: Any, second: Any, why: str | None) -> None:
    index = Index()
    assert index.add(document(first)) is None
    before = dict(index.fields)
    found = index.add(document(second))
    assert (str(found) if found else None) == why
    if found:
        assert index.fields == before


def test_an_index_has_a_thousand_fields_and_twenty_levels() -> None:
    index = Index()
    room = MOST_FIELDS - len(index.fields)
    assert index.add(document({f"f{number}": 1 for number in range(room)})) is None
    assert "more than 1000 fields" in str(index.add(document({"one-more": 1})))
    assert index.add(document({"f0": 1})) is None
    deep: Any = 1
    for _ in range(18):
        deep = {"a": deep}
    assert Index().add(document({"own": deep})) is None
    assert "level 20" in str(Index().add(document({"own": {"a": deep}})))


def test_the_plugins_choose_and_rewrite() -> None:
    zoom: dict[str, Any] = {
        "hostname": "zoom_host",
        "tags": ["zoom"],
        "severity": "NOTICE",
        "details": {"event": "x"},
    }
    zoom["details"]["payload"] = {
        "object": {"id": 7, "start_time": ""},
        "operator": "a@example.com",
    }
    found = handled(zoom)
    assert found.rewritten_by == "zoom_fixup"
    assert found.document is not None
    assert found.document["details"] == {"event": "x", "id": 7, "username": "a@example.com"}
    assert found.document["severity"] == "info"
    assert not found.keeps_time
    assert handled(zoom | {"tags": ["other"]}).rewritten_by == ""
    text = handled(zoom | {"details": {"event": "x", "payload": {"object": {"participant": 7}}}})
    assert text.why.startswith("MozDef's plugin zoom_fixup fails on it")

    push: dict[str, Any] = {
        "tags": ["githubeventsqs"],
        "details": {"event": "push", "request_id": "d-1", "body": {}},
    }
    push["details"]["body"] = {
        "sender": {"login": "mona"},
        "head_commit": {"timestamp": "2026-11-23T20:00:01Z"},
    }
    made = handled(push).document
    assert made is not None
    assert made["details"]["username"] == "mona"
    assert made["utctimestamp"] == "2026-11-23T20:00:01Z"
    assert made["severity"] == "UNKNOWN"
    assert handled(push | {"details": {"event": "issues"}}).why.endswith(
        "github_webhooks discards it"
    )


def test_an_address_is_moved_where_it_is_version_6() -> None:
    found = handled({"tags": [], "details": {"sourceipaddress": "2001:db8::1"}}).document
    assert found is not None
    assert found["details"]["sourceipaddress"] == "0.0.0.0"
    assert found["details"]["sourceipv6address"] == "2001:db8::1"
    assert Index().add(found) is None


def test_mozdef_takes_more_for_an_address_than_its_index() -> None:
    found = handled({"tags": [], "details": {"src": "1.2.3"}}).document
    assert found is not None
    assert found["details"]["sourceipaddress"] == "1.2.3"
    assert str(Index().add(found)) == ("details.sourceipaddress: a text, where the index has ip")


def test_a_forwarded_address_is_taken_unless_there_is_a_better_one() -> None:
    details = {"http_x_forwarded_for": "198.51.100.7, 192.0.2.1"}
    found = handled({"tags": [], "details": details}).document
    assert found is not None
    assert found["details"]["sourceipaddress"] == "198.51.100.7"
    better = handled({"tags": [], "details": {**details, "srcip": "192.0.2.9"}}).document
    assert better is not None
    assert better["details"]["sourceipaddress"] == "192.0.2.9"
    lost = handled({"tags": [], "details": {"http_x_forwarded_for": ["198.51.100.7"]}})
    assert lost.why.startswith("MozDef's plugin ipFixup fails on it")
