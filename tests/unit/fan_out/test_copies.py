"""Copies, collisions and events that only look alike, as the fan-out tells them apart."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from pipeline.event.envelope import Envelope, encode_envelope
from pipeline.event.events import Event
from pipeline.event.fields import PathSet
from pipeline.event.outcomes import OutcomeKind, Reason
from pipeline.fan_out.former_keys import former_key
from tests.support.bench import NOW_MS, aggregate, generic, github, keys, record, tally

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from settings.source.loader import LoadedSource
    from tests.support.bench import Bench

HOUR = 3_600
WEEK = 168 * HOUR


def change(bench: Bench, name: str, **settings: Any) -> None:
    source = replace(bench.catalog.sources[name], **settings)
    bench.catalog = replace(bench.catalog, sources={**bench.catalog.sources, name: source})
    bench.new_process()


def with_body_hash(bench: Bench, hours: int = 2) -> None:
    change(bench, "generic", body_hash_seconds=hours * HOUR)


def envelope(source: str, body: Any, request: str, **headers: str) -> bytes:
    raw = body if isinstance(body, bytes) else orjson.dumps(body)
    return encode_envelope(Envelope(request, NOW_MS, source, "192.0.2.1", raw, "", headers))


def ends(bench: Bench, *data: bytes) -> list[tuple[str, str | None]]:
    outcomes = bench.run(*map(record, data)).outcomes
    by_place = sorted(outcomes, key=lambda one: (int(one.event.sequence_number), one.event.place))
    return [(str(one.kind), one.reason) for one in by_place]


def reasons(ends: Sequence[tuple[str, str | None]]) -> list[str | None]:
    return [reason for _, reason in ends]


DELIVERED, DUPLICATE = ("delivered", None), ("duplicate", None)


# -- a known id with another body ------------------------------------------------------------------


def test_another_body_under_a_known_id_is_delivered_and_said(bench: Bench) -> None:
    one, other = github({"n": 1}, event="x"), github({"n": 2}, event="x")
    assert ends(bench, one) == [DELIVERED]
    assert ends(bench, other) == [("delivered", Reason.ID_REUSED)]
    assert len(bench.sqs.bodies()) == 2
    # From now on both are known, each by its body.
    assert ends(bench, github({"n": 2}, event="x")) == [("duplicate", None)]
    assert ends(bench, github({"n": 1}, event="x")) == [DUPLICATE]
    assert len(bench.sqs.bodies()) == 2


def test_another_body_in_the_same_batch_is_delivered_and_said(bench: Bench) -> None:
    one, other, third = (github({"n": number}, event="x") for number in range(3))
    assert ends(bench, one, other, one, third, other) == [
        DELIVERED,
        ("delivered", Reason.ID_REUSED),
        DUPLICATE,
        ("delivered", Reason.ID_REUSED),
        ("duplicate", Reason.ID_REUSED),
    ]
    assert len(bench.sqs.bodies()) == 3


@pytest.mark.parametrize("together", [True, False])
@pytest.mark.parametrize(("policy", "kind"), [("duplicate", "duplicate"), ("reject", "rejected")])
def test_a_source_says_what_becomes_of_it(
    bench: Bench, policy: str, kind: str, *, together: bool
) -> None:
    change(bench, "github", same_id=policy)
    pair = [github({"n": number}, event="x") for number in range(2)]
    found = ends(bench, *pair) if together else [*ends(bench, pair[0]), *ends(bench, pair[1])]
    assert found == [DELIVERED, (kind, Reason.ID_REUSED)]
    assert len(bench.sqs.bodies()) == 1


def test_a_batch_with_a_reused_id_that_is_tried_again_sends_nothing_twice(bench: Bench) -> None:
    first = record(github({"n": 1}, event="x"))
    batch = [first, record(github({"n": 2}, event="x")), record(github({"n": 1}, event="x"))]
    before = bench.run(*batch).outcomes
    bench.new_process()
    again = bench.run(*batch).outcomes
    assert tally(again) == tally(before) == {"delivered": 2, "duplicate": 1}
    assert len(bench.sqs.bodies()) == 2


def test_what_an_older_version_remembered_has_no_body_and_is_a_copy(bench: Bench) -> None:
    bench.dynamodb.items["github#d-1"] = {
        "pk": {"S": "github#d-1"},
        "id": {"S": "old"},
        "expires": {"N": str(NOW_MS // 1000 + 60)},
    }
    assert ends(bench, github({"n": 5}, event="x")) == [DUPLICATE]


# -- one record twice on the stream ----------------------------------------------------------------


@pytest.mark.parametrize("together", [True, False])
@pytest.mark.parametrize("make", [github, generic])
def test_a_producers_retry_is_one_delivered_and_one_duplicate(
    bench: Bench, make: Callable[..., bytes], *, together: bool
) -> None:
    """A put whose answer was lost is repeated: one envelope at two places of the stream."""
    data = make({"zen": "x"}, request="r-1", **({"event": "x"} if make is github else {}))
    found = ends(bench, data, data) if together else [*ends(bench, data), *ends(bench, data)]
    assert found == [DELIVERED, DUPLICATE]


def test_a_batch_that_is_tried_again_knows_its_own_events(bench: Bench) -> None:
    data = github({}, event="x", request="r-1")
    batch = [record(data), record(data), record(aggregate(github({"a": 1}, delivery="d-2"), data))]
    first = bench.run(*batch).outcomes
    bench.new_process()
    assert tally(bench.run(*batch).outcomes) == tally(first)
    assert len(bench.sqs.bodies()) == tally(first)["delivered"]


def test_a_batch_is_known_again_however_short_the_window_is(bench: Bench) -> None:
    """The ledger's bucket can be out of reach for longer than a body's hash is remembered."""
    with_body_hash(bench)
    batch = [record(generic({"n": 1}))]
    bench.run(*batch)
    bench.now += 5 * 24 * HOUR
    bench.new_process()
    assert tally(bench.run(*batch).outcomes) == {"delivered": 1}
    assert len(bench.sqs.bodies()) == 1


# -- where the body's hash stands for an id --------------------------------------------------------


def test_a_bodys_hash_is_remembered_for_hours(bench: Bench) -> None:
    with_body_hash(bench)
    alarm = {"alarm": "backup failed"}
    assert ends(bench, generic(alarm)) == [DELIVERED]
    bench.now += 1 * HOUR
    assert ends(bench, generic(alarm)) == [DUPLICATE]
    bench.now += 1 * HOUR
    assert ends(bench, generic(alarm)) == [DELIVERED]


def test_generic_loses_no_alarm_that_recurs(bench: Bench) -> None:
    for _ in range(5):
        assert ends(bench, generic({"alarm": "x"}), generic({"alarm": "x"})) == [DELIVERED] * 2
        bench.now += 60


def test_gitlab_loses_none_of_five_events_that_only_look_alike(bench: Bench) -> None:
    login = {"event_name": "user_failed_login", "username": "mona", "state": "blocked"}
    flag = [
        {"object_kind": "feature_flag", "object_attributes": {"name": "f", "active": active}}
        for active in (True, False, True)
    ]
    kinds = ["System Hook"] * 2 + ["Feature Flag Hook"] * 3
    for number, (kind, body) in enumerate(zip(kinds, [login, login, *flag], strict=True)):
        data = envelope("gitlab", body, f"r-{number}", **{"x-gitlab-event": kind})
        assert ends(bench, data) == [DELIVERED]
        bench.now += 60


def test_gitlab_tells_attempts_by_their_key(bench: Bench) -> None:
    headers = {"x-gitlab-event": "System Hook", "idempotency-key": "k-1"}
    data = [envelope("gitlab", {"event_name": "x"}, f"r-{n}", **headers) for n in range(2)]
    assert ends(bench, *data) == [DELIVERED, DUPLICATE]


def test_deduplication_can_be_switched_off(bench: Bench) -> None:
    change(bench, "github", deduplication_seconds=0, body_hash_seconds=0)
    copies = [github({}, event="x") for _ in range(3)]
    assert ends(bench, *copies) == [DELIVERED] * 3
    assert ends(bench, github({}, event="x")) == [DELIVERED]
    # Not so one record that a producer put twice, and a batch that is tried again.
    twice = github({}, event="x", request="r-1")
    assert ends(bench, twice, twice) == [DELIVERED, DUPLICATE]
    assert ends(bench, twice) == [DUPLICATE]


def test_elements_with_the_same_bytes_in_one_request_are_events_each(bench: Bench) -> None:
    change(bench, "generic", split=("e",), body_hash_seconds=HOUR)
    large = b'{"n":20000000000000000001},{"n":20000000000000000002}'
    body = b'{"e":[{"n":1},{"n":1},{"n":1.0},' + large + b"]}"
    assert ends(bench, generic(body)) == [DELIVERED] * 5
    assert ends(bench, generic(body)) == [DUPLICATE] * 5


def test_an_element_keeps_the_senders_bytes_in_the_message(bench: Bench) -> None:
    change(bench, "generic", split=("e",), body_hash_seconds=HOUR)
    element = b'{ "n":20000000000000000001, "d":1.10, "u":"\\u00e9", "a":1, "z": 1e2 }'
    bench.run(record(generic(b'{"e": [' + element + b" ] }")))
    (messages,) = bench.sqs.messages.values()
    (text,) = messages
    assert element.decode() in text


def test_one_element_that_is_no_json_is_rejected_alone(bench: Bench) -> None:
    change(bench, "generic", split=("e",), body_hash_seconds=HOUR)
    bad = b'{"n":"' + b"\xff" + b'"}'
    body = b'{"e":[' + b",".join([b'{"n":1}', bad, b'{"n":tru}', b'{"n":2}']) + b"]}"
    assert ends(bench, generic(body)) == [
        DELIVERED,
        ("rejected", Reason.INVALID_JSON),
        ("rejected", Reason.INVALID_JSON),
        DELIVERED,
    ]


# -- where the signature covers neither id nor type ------------------------------------------------


@pytest.mark.parametrize("together", [True, False])
@pytest.mark.parametrize("event", ["x", "another_type"])
@pytest.mark.parametrize(
    ("policy", "kind"),
    [("deliver", "delivered"), ("duplicate", "duplicate"), ("reject", "rejected")],
)
def test_a_captured_request_under_another_id_or_type_is_seen(
    bench: Bench, event: str, policy: str, kind: str, *, together: bool
) -> None:
    change(bench, "github", same_body=policy)
    real = github({"n": 1}, event="x", delivery="d-1")
    captured = github({"n": 1}, event=event, delivery="d-2")
    batches = [[real, captured]] if together else [[real], [captured]]
    found = [end for batch in batches for end in ends(bench, *batch)]
    assert found == [DELIVERED, (kind, Reason.BODY_REUSED)]
    tags = list(bench.catalog.sources["github"].mozdef.tags)
    seen = [[*tags, "body_reused"]] if kind == "delivered" else []
    assert [message["tags"] for message in bench.sqs.bodies()] == [tags, *seen]


def test_a_body_that_is_not_looked_for_is_one_item_less(
    bench: Bench, sources: dict[str, LoadedSource]
) -> None:
    settings = sources["github"].settings
    assert settings.id_is_unsigned
    ignoring = settings.model_copy(update={"same_body": "ignore"})
    change(bench, "github", id_is_unsigned=ignoring.id_is_unsigned)
    real = github({"n": 1}, event="x", delivery="d-1")
    assert ends(bench, real, github({"n": 1}, event="x", delivery="d-2")) == [DELIVERED, DELIVERED]
    assert sorted(bench.dynamodb.items) == ["github#d-1", "github#d-2"]
    assert ends(bench, github({"n": 1}, event="x", delivery="d-1")) == [DUPLICATE]


def test_a_copy_in_its_batch_is_neither_looked_up_nor_written(bench: Bench) -> None:
    """The order of the shard proves it; docs/cost.md counts on it."""
    change(bench, "github", id_is_unsigned=False)
    batch = [github({"n": 1}, event="x", delivery="d-1") for _ in range(4)]
    other = github({"n": 2}, event="x", delivery="d-2")
    assert ends(bench, *batch, other) == [DELIVERED, *[DUPLICATE] * 3, DELIVERED]
    assert (sum(bench.dynamodb.read_sizes), sum(bench.dynamodb.write_sizes)) == (2, 2)
    assert len(bench.sqs.bodies()) == 2


def test_a_member_who_comes_and_goes_is_no_copy(bench: Bench) -> None:
    """GitHub's own examples hold five pairs of events with one body, such as `membership`."""
    steps = ["removed", "added", "removed", "added"]
    for number, action in enumerate(steps):
        (end,) = ends(bench, github({"action": action}, event="x", delivery=f"d-{number}"))
        assert end == ("delivered", Reason.BODY_REUSED if number > 1 else None)


def test_a_body_is_remembered_as_long_as_an_id(bench: Bench) -> None:
    assert ends(bench, github({}, event="x", delivery="d-1")) == [DELIVERED]
    bench.now += WEEK - 1
    assert ends(bench, github({}, event="x", delivery="d-2")) == [("delivered", Reason.BODY_REUSED)]
    bench.now += WEEK + 1
    assert ends(bench, github({}, event="x", delivery="d-3")) == [DELIVERED]


def test_a_reused_id_is_a_tag_of_the_message(bench: Bench) -> None:
    bench.run(record(github({"n": 1}, event="x")), record(github({"n": 2}, event="x")))
    tags = list(bench.catalog.sources["github"].mozdef.tags)
    assert [one["tags"] for one in bench.sqs.bodies()] == [tags, [*tags, "id_reused"]]


def test_a_copy_that_was_asked_for_again_is_a_plain_duplicate(bench: Bench) -> None:
    assert ends(bench, github({}, event="x")) == [DELIVERED]
    bench.now += 72 * HOUR
    assert ends(bench, github({}, event="x")) == [DUPLICATE]


def test_what_was_half_remembered_is_written_down_and_not_sent_again(bench: Bench) -> None:
    batch = [record(github({}, event="x"))]
    bench.run(*batch)
    by_id, by_body = list(bench.dynamodb.items)
    for lost in (by_id, by_body):
        del bench.dynamodb.items[lost]
        bench.new_process()
        assert tally(bench.run(*batch).outcomes) == {"delivered": 1}
        assert set(bench.dynamodb.items) == {by_id, by_body}
    assert len(bench.sqs.bodies()) == 1


# -- feeds -----------------------------------------------------------------------------------------


def test_feeds_that_number_alike_are_kept_apart(bench: Bench) -> None:
    feeds = ["auditevents", "itemusages", "signinattempts"]
    change(bench, "onepassword", schema_modules={}, default_schema_module=None)
    data = [
        envelope(
            "onepassword", {"uuid": "1", "feed": feed}, f"poll-{feed}", **{"x-poll-feed": feed}
        )
        for feed in feeds
    ]
    assert ends(bench, *data) == [DELIVERED] * 3
    assert ends(bench, *data) == [DUPLICATE] * 3


# -- the keys of older versions --------------------------------------------------------------------


def remember_formerly(bench: Bench, key: str, event: str) -> None:
    expires = {"N": str(int(bench.now) + WEEK)}
    bench.dynamodb.items[key] = {"pk": {"S": key}, "id": {"S": event}, "expires": expires}


def test_a_deployment_that_moves_delivers_nothing_twice(bench: Bench) -> None:
    change(
        bench,
        "generic",
        delivery_id_paths=PathSet([("a",), ("b",)]),
        delivery_id_needed=2,
        body_hash_seconds=HOUR,
    )
    remember_formerly(bench, "generic#7|x", "old-1")
    remember_formerly(bench, "onepassword#u-1", "old-2")
    change(bench, "onepassword", schema_modules={}, default_schema_module=None)
    polled = {"uuid": "u-1"}
    data = [
        generic({"a": 7, "b": "x"}),
        envelope("onepassword", polled, "poll-1", **{"x-poll-feed": "auditevents"}),
        generic({"a": 8, "b": "x"}),
    ]
    bench.fan_out.former_keys_until = bench.now + 60
    assert ends(bench, *data) == [DUPLICATE, DUPLICATE, DELIVERED]
    # What is delivered now is known by its present key alone.
    assert "generic#8|x" not in bench.dynamodb.items
    assert ends(bench, data[2]) == [DUPLICATE]


def test_after_the_day_that_is_set_former_keys_are_not_asked_for(bench: Bench) -> None:
    change(bench, "generic", delivery_id_paths=PathSet([("a",)]), delivery_id_needed=1)
    remember_formerly(bench, "generic#7", "old-1")
    bench.fan_out.former_keys_until = bench.now - 1
    assert ends(bench, generic({"a": 7})) == [DELIVERED]


def test_a_batch_that_the_older_version_sent_is_known_by_its_id(bench: Bench) -> None:
    change(bench, "generic", delivery_id_paths=PathSet([("a",)]), delivery_id_needed=1)
    remember_formerly(bench, "generic#7", "r-1")
    bench.fan_out.former_keys_until = bench.now + 60
    assert ends(bench, generic({"a": 7}, request="r-1")) == [DELIVERED]
    assert bench.sqs.bodies() == []


@pytest.mark.parametrize("body", [b'{"a":"\\ud83d"}', b'{"a":' + b"[" * 400 + b"]" * 400 + b"}"])
def test_what_an_older_version_could_not_read_has_no_former_key(bench: Bench, body: bytes) -> None:
    change(bench, "generic", delivery_id_paths=PathSet([("a",)]), delivery_id_needed=1)
    change(bench, "generic", split=("e",), body_hash_seconds=HOUR)
    bench.fan_out.former_keys_until = bench.now + 60
    request = b'{"e":[{"a":"x"},' + body + b"]}"
    assert ends(bench, generic(request)) == [DELIVERED] * 2
    assert ends(bench, generic(request)) == [DUPLICATE] * 2


def test_former_keys_are_those_that_older_versions_wrote(bench: Bench) -> None:
    """The hash was made with coreutils."""
    change(bench, "generic", deduplication_seconds=HOUR, body_hash_seconds=HOUR)
    (outcome,) = bench.run(record(generic(b'{"a": 1}'))).outcomes
    assert isinstance(outcome.event, Event)
    digest = "f9d86028c6e0d64e225186f96acb69338b2c59764df79162107f5c4bb34d1310"
    assert former_key(outcome.event) == f"generic#sha256:{digest}"
    assert keys([outcome])[0].startswith("generic!body:")


def test_outcome_kinds_of_remarks_are_counted(bench: Bench) -> None:
    bench.run(record(github({"n": 1}, event="x")))
    settlement = bench.run(record(github({"n": 2}, event="x")))
    (outcome,) = settlement.settled
    assert outcome.kind is OutcomeKind.DELIVERED
    assert "whose body is another one" in outcome.explanation
