"""What is inferred from samples, and the source folder that is written from it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from settings.source.loader import available_sources, load_source
from tests.support.catalogue import built_in
from toolbox.sources.checking import check_sources
from toolbox.sources.inference import InferenceError, Proposal, infer, parse_sample
from toolbox.sources.scaffolding import Choices, Given, ScaffoldError, read_given, scaffold

LOGIN = {
    "id": "e-1",
    "type": "user.login",
    "created_at": "2026-11-23T10:00:00Z",
    "user": {"id": 5, "email": "alice@example.com", "created_at": "2020-01-01T00:00:00Z"},
    "message": "alice signed in",
    "ip": "192.0.2.7",
    "tags": ["a", "b"],
}
LOGOUT = {
    "id": "e-2",
    "type": "user.logout",
    "created_at": "2026-11-23T11:00:00Z",
    "user": {"id": 5, "email": None},
    "message": "alice signed out",
    "tags": [],
}


def given(*documents: Any) -> list[Given]:
    texts = [json.dumps(document).encode() for document in documents]
    return [Given(f"s{number}", text, parse_sample("s", text)) for number, text in enumerate(texts)]


def path(found: Any) -> str | None:
    return found.path if found else None


def found_in(*documents: Any) -> tuple[str | None, str | None, str | None, str | None]:
    proposal = infer(documents)
    return (
        proposal.split,
        path(proposal.event_type),
        path(proposal.delivery_id),
        path(proposal.timestamp),
    )


def test_type_id_time_and_summary() -> None:
    proposal = infer([LOGIN, LOGOUT])
    assert found_in(LOGIN, LOGOUT) == (None, "type", "id", "created_at")
    assert proposal.summary == ("message",)
    assert sorted(proposal.schemas) == ["user.login", "user.logout"]


def test_what_stands_elsewhere_in_each_type_is_looked_for_in_each() -> None:
    issue = {"data": {"issue": {"title": "TypeError"}}, "actor": {"name": "Ada"}}
    comment = {
        "data": {"text": "hm", "timestamp": "2026-11-23T19:30:00Z"},
        "actor": {"name": "Ada"},
    }
    alert = {"alert": {"title": "Down", "time": 1_795_462_100}, "actor": {"name": "Ada"}}
    types = ["issue", "issue", "comment", "alert"]
    proposal = infer([issue, {**issue, "more": 1}, comment, alert], types)
    assert proposal.event_type is None
    assert sorted(proposal.schemas) == ["alert", "comment", "issue"]
    assert proposal.schemas["issue"]["required"] == ["data", "actor"]
    assert [found.path for found in proposal.timestamps] == ["data.timestamp", "alert.time"]
    # What all types have comes last: it would hide the title of each type after it.
    assert proposal.summary == ("data.issue.title|alert.title|actor.name",)
    assert proposal.default_schema == {
        "$schema": "http://json-schema.org/draft-07/schema#", "type": "object",
    }  # fmt: skip


def test_the_schema_is_lean() -> None:
    proposal: Proposal = infer([{**LOGIN, "type": "x"}, {**LOGOUT, "type": "x"}])
    schema = proposal.schemas["x"]
    assert schema["required"] == ["id", "type", "created_at", "user", "message", "tags"]
    user = schema["properties"]["user"]
    assert user["required"] == ["id", "email"]
    assert user["properties"]["email"] == {"type": ["string", "null"]}
    assert schema["properties"]["tags"] == {"type": "array", "items": {"type": "string"}}
    assert schema["properties"]["ip"] == {"type": "string"}
    text = json.dumps(proposal.schemas)
    assert "additionalProperties" not in text
    assert "enum" not in text


@pytest.mark.parametrize(
    ("values", "schema"),
    [
        ([1, 2], {"type": "integer"}),
        ([1, 2.5], {"type": "number"}),
        ([1, None], {"type": ["integer", "null"]}),
        ([None, None], {}),
        ([True, "x"], {"type": ["string", "boolean"]}),
        ([[1, "a"], [None]], {"type": "array", "items": {"type": ["string", "integer", "null"]}}),
        ([[], []], {"type": "array"}),
        ([{}, {"a": 1}], {"type": "object", "properties": {"a": {"type": "integer"}}}),
    ],
)
def test_types(values: list[Any], schema: dict[str, Any]) -> None:
    proposal = infer([{"x": value} for value in values])
    assert proposal.default_schema["properties"]["x"] == schema


@pytest.mark.parametrize(
    ("documents", "expected"),
    [
        # wrapped
        (
            [{"event": {"id": f"e{n}", "eventType": "a", "occurredAt": 1_795_464_503 + n}}
             for n in range(3)],
            (None, "event.eventType", "event.id", "event.occurredAt"),
        ),
        # an id that comes twice is that of something else, and so is one of a user
        ([{"id": 1, "user": {"id": n}} for n in range(2)], (None, None, None, None)),
        # the dot of a key has a backslash before it
        ([{"event.id": f"a{n}", "event.type": "b", "a": {"event.time": 1_795_464_503}}
          for n in range(2)], (None, r"event\.type", r"event\.id", None)),
        ([{"data": {"event.time": 1_795_464_503}}], (None, None, None, r"data.event\.time")),
        # a date without an offset is a guess, an epoch of 1980 is a number
        ([{"created_at": "2026-11-23T10:00:00"}], (None, None, None, None)),
        ([{"timestamp": 315_532_800}], (None, None, None, None)),
        ([{"timestamp": "1795464503123"}], (None, None, None, "timestamp")),
        # ids are no types, and neither are texts of which each is another
        ([{"event": f"0b7f9c1e-5d1c-4c55-9d15-00000000000{n}"} for n in range(3)],
         (None, None, None, None)),
        ([{"event": f"said {n}"} for n in range(20)], (None, None, None, None)),
        # lists
        ([[{"log_id": "a"}, {"log_id": "b"}], [{"log_id": "c"}]], (".", None, "log_id", None)),
        ([{"data": {"events": [{"log_id": "a"}, {"log_id": "b"}]}, "v": 1}],
         ("data.events", None, "log_id", None)),
        ([{"events": [{"uuid": "a"}], "report": "long " * 20}], (None, None, None, None)),
        ([{"events": []}, {"events": [{"uuid": "a"}]}], (None, None, None, None)),
    ],
)  # fmt: skip
def test_what_is_found(documents: list[Any], expected: tuple[str | None, ...]) -> None:
    assert found_in(*documents) == expected


CREATED = {"type": "user.created", "data": {"id": "user_1"}}


@pytest.mark.parametrize(
    ("documents", "proven", "unproven"),
    [
        # one sample proves nothing, whatever it names and wherever
        ([CREATED], None, "data.id"),
        ([{"type": "x", "object": {"id": 1}}], None, "object.id"),
        ([{"type": "x", "data": {"object": {"id": "a"}}}], None, "data.object.id"),
        ([{"type": "x", "resource": {"uuid": "a"}}], None, "resource.uuid"),
        ([{"type": "x", "payload": {"id": "a"}}], None, "payload.id"),
        ([{"id": "0b7f9c1e-5d1c-4c55-9d15-000000000001"}], None, "id"),
        ([{"event_id": "a"}], None, "event_id"),
        ([{"delivery_id": 7}], None, "delivery_id"),
        # nor do two about two things
        ([CREATED, {"type": "user.deleted", "data": {"id": "user_2"}}], None, "data.id"),
        ([{"id": "a", "type": "user.created"}, {"id": "b", "type": "user.deleted"}], None, "id"),
        ([{"id": n, "type": "issue.opened", "user": {"id": 5}, "org": {"id": 1}}
          for n in range(2)], None, "id"),
        ([{"data": {"id": f"u{n}", "org_id": "o"}, "org_id": "o"} for n in range(2)],
         None, "data.id"),
        ([{**CREATED, "id": "e1"}, {"id": "e2", "type": "user.created", "data": {"id": "user_2"}}],
         None, "id"),
        ([{**CREATED, "id": "e1", "user_id": 1}, {"id": "e2", "type": "user.x", "user_id": "1"}],
         None, "id"),
        # the id of an object, though an object in it is the same
        ([{"data": {"id": n, "object": {"id": 1}}} for n in range(2)], None, "data.id"),
        # two about one thing do
        ([{**CREATED, "id": "e1"}, {"id": "e2", "type": "user.deleted", "data": {"id": "user_1"}}],
         "id", None),
        ([{**CREATED, "id": 17}, {"id": 18, "type": "user.deleted", "data": {"id": "user_1"}}],
         "id", None),
        ([{"id": "e1", "type": "check.down", "check": {"id": 4}},
          {"id": "e2", "type": "check.up", "check": {"id": 4}},
          {"id": "e3", "type": "role.changed"}], "id", None),
        ([{"uuid": f"e{n}", "type": f"user_{n}", "user_id": 3} for n in range(2)], "uuid", None),
        ([{"message_id": f"e{n}", "object_id": 3} for n in range(2)], "message_id", None),
        ([{"payload": {"event_id": f"e{n}", "object": {"id": 3}}} for n in range(2)],
         "payload.event_id", None),
        ([{"event": {"uuid": f"e{n}", "data": {"id": 3}}} for n in range(2)], "event.uuid", None),
        # a list of events: each is a sample
        ([[{"id": f"e{n}", "data": {"id": 3}} for n in range(2)]], "id", None),
        # or the name of an event's id, in two that differ
        ([{"event_id": f"e{n}"} for n in range(2)], "event_id", None),
        ([{"meta": {"deliveryId": n}} for n in range(2)], "meta.deliveryId", None),
        # but not within what the event is about
        ([{"data": {"event_id": f"e{n}"}} for n in range(2)], None, "data.event_id"),
        # the same id with another body is no event's
        ([{"event_id": "e", "n": n} for n in range(2)], None, None),
        ([{**CREATED, "id": "e1"}, {**CREATED, "id": "e1", "try": 2}], None, None),
        ([{"id": n % 2, "data": {"id": 3}, "n": n} for n in range(3)], None, None),
        # with the same body it is the same event again, which proves nothing
        ([{"event_id": "e", "n": 1}, {"n": 1, "event_id": "e"}], None, "event_id"),
        # 7 and "7" are two ids; what is true, empty or a fraction is none
        ([{"event_id": 7}, {"event_id": "7"}], "event_id", None),
        ([{"event_id": True}, {"event_id": False}], None, None),
        ([{"event_id": ""}, {"event_id": "a"}], None, None),
        ([{"event_id": 1.5}, {"event_id": 2.5}], None, None),
    ],
)  # fmt: skip
def test_a_delivery_id_is_proposed_where_the_samples_prove_it(
    documents: list[Any], proven: str | None, unproven: str | None
) -> None:
    identity = infer(documents).identity
    assert (path(identity.proven), path(identity.unproven)) == (proven, unproven)


def test_the_folder_says_why_there_is_no_delivery_id(tmp_path: Path) -> None:
    made = scaffold("made", given(CREATED), tmp_path, Choices("T"))
    text = " ".join((made.folder / "source.yaml").read_text().replace("#", "").split())
    assert "delivery_id" not in made.settings
    assert "`data.id` is in every event, and never twice, which proves nothing" in text
    assert "is likely the id of that" in text
    assert "delivery_id: path" not in text
    assert load_source(made.folder).settings.delivery_id is None


def test_the_unproven_id_beside_the_event_is_offered_in_a_comment(tmp_path: Path) -> None:
    made = scaffold("made", given({**CREATED, "id": "e1"}), tmp_path, Choices("T"))
    text = (made.folder / "source.yaml").read_text()
    assert "delivery_id" not in yaml.safe_load(text)
    head, _, offered = text.rpartition("# delivery_id:\n")
    assert offered == "#   path: id\n"
    assert "two samples about one thing" in " ".join(head.replace("#", "").split())
    (made.folder / "source.yaml").write_text(head + "delivery_id:\n  path: id\n")
    settings = load_source(made.folder).settings
    assert settings.delivery_id is not None
    assert settings.delivery_id.path == "id"


@pytest.mark.parametrize("like", ["stripe", "zoom", "okta-system-log"])
def test_the_paths_of_another_senders_id_are_not_copied(tmp_path: Path, like: str) -> None:
    template = built_in(like)
    assert template.settings.delivery_id is not None
    made = scaffold("made", given(CREATED), tmp_path, Choices("T"), template)
    assert "delivery_id" not in made.settings


def test_keys_with_dots_work_from_the_sample_to_the_check(tmp_path: Path) -> None:
    events = [
        {"event.id": f"e{n}", "event.type": "x", "event.time": "2026-11-23T10:00:00Z",
         "log.message": f"said {n}"}
        for n in range(2)
    ]  # fmt: skip
    made = scaffold("made", given(*events), tmp_path, Choices("T"))
    source = load_source(made.folder)
    assert source.settings.delivery_id is not None
    assert source.settings.delivery_id.path == r"event\.id"
    assert source.settings.mozdef.timestamp == r"event\.time"
    assert [one.faults for one in check_sources({"made": source}) if not one.fits] == []
    proposal = made.proposal
    assert proposal.default_schema["required"] == [r"event.id", "event.type"]


def test_other_candidates_are_named() -> None:
    proposal = infer([{**LOGIN, "uuid": "u-1"}, {**LOGOUT, "uuid": "u-2"}])
    assert proposal.delivery_id is not None
    assert (proposal.delivery_id.path, proposal.delivery_id.others) == ("uuid", ("id",))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b'{"a":', "not JSON"),
        (b'{"a":"\\ud800"}', "not JSON"),
        (b"\xff", "not JSON"),
        (b"7", "an object, or a list of objects, is needed, not int"),
        (b'{"a":' * 150 + b"1" + b"}" * 150, "nested more than 100 deep"),
        (b"[" * 5000 + b"]" * 5000, "not JSON|nested"),
        (b'"' + b"x" * 1_000_000 + b'"', "does not fit on the stream"),
    ],
)
def test_samples_from_which_nothing_is_learned(content: bytes, said: str) -> None:
    with pytest.raises(InferenceError, match=said):
        parse_sample("sample.json", content)


def test_lists_and_objects_do_not_mix() -> None:
    mixed: list[list[Any]] = [[[{}], {}], [[1]], [[]]]
    for documents in mixed:
        with pytest.raises(InferenceError, match="each must be a list of JSON objects"):
            infer(documents)


@pytest.mark.parametrize("choices", [
    Choices("T"),
    Choices("T", "token", "X-Token", "Bearer "),
    Choices("T", "hmac"),
    Choices("T", "hmac", "X-Hub-Signature-256", "sha256=", {"X-Event": "push"}),
])  # fmt: skip
def test_the_folder_passes_its_own_check(tmp_path: Path, choices: Choices) -> None:
    made = scaffold("made", given(LOGIN, LOGOUT), tmp_path, choices)
    source = load_source(made.folder)
    assert [one.faults for one in check_sources({"made": source}) if not one.fits] == []
    text = (made.folder / "source.yaml").read_text()
    assert text.count("CHECK") == 5
    assert yaml.safe_load(text)["title"] == "T"
    assert sorted(file.name for file in (made.folder / "schemas").iterdir()) == [
        "default.json",
        "user-login.json",
        "user-logout.json",
    ]


def takes_plain_json(name: str) -> bool:
    """Tell whether a sender's proof is made of any JSON, with a secret and without its key."""
    settings = built_in(name).settings
    when = settings.hmac.timestamp if settings.hmac else None
    in_body = when is not None and when.path is not None
    return settings.body is None and settings.proof_of_body is None and not in_body


@pytest.mark.parametrize(
    "like", [one for one in sorted(available_sources()) if takes_plain_json(one)]
)
def test_each_source_can_be_started_from(tmp_path: Path, like: str) -> None:
    template = built_in(like)
    made = scaffold("made", given(LOGIN, LOGOUT), tmp_path, Choices("T"), template)
    source = load_source(made.folder)
    assert source.settings.authentication == template.settings.authentication
    assert source.settings.ingest == template.settings.ingest
    assert [one.faults for one in check_sources({"made": source}) if not one.fits] == []


def test_a_header_that_the_other_source_requires_is_made_up_and_said(tmp_path: Path) -> None:
    template = built_in("github")
    made = scaffold("made", given(LOGIN), tmp_path, Choices("T"), template)
    assert made.notes == ("header X-GitHub-Event is made up in the samples: 'example'",)


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "made").mkdir()
    with pytest.raises(ScaffoldError, match="is there already"):
        scaffold("made", given(LOGIN), tmp_path, Choices("T"))
    assert list((tmp_path / "made").iterdir()) == []


@pytest.mark.parametrize("name", ["", "A", "../up", "a_b", "1a", "a" * 41])
def test_a_name_that_is_no_route(tmp_path: Path, name: str) -> None:
    with pytest.raises(ScaffoldError, match="the name is the route"):
        scaffold(name, given(LOGIN), tmp_path, Choices("T"))


def test_a_sample_that_is_given_twice_is_left_out(tmp_path: Path) -> None:
    made = scaffold("made", given(LOGIN, LOGIN, LOGOUT), tmp_path, Choices("T"))
    assert made.notes == ("sample s1 is left out: it is the same as s0",)
    assert len(list((made.folder / "samples").glob("s*.yaml"))) == 2


def test_an_event_that_comes_twice_in_a_list_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InferenceError, match="would be a duplicate"):
        scaffold("made", given([{"a": 1}, {"a": 1}]), tmp_path, Choices("T"))
    assert list(tmp_path.iterdir()) == []


def test_hostile_text_stays_in_its_comment(tmp_path: Path) -> None:
    hostile = "x\nauthentication: {type: token, header: Evil}\u2028\x1b[31m"
    made = scaffold("made", given({"id": hostile, "type": "a"}), tmp_path, Choices("T\n# t: 1"))
    text = (made.folder / "source.yaml").read_text()
    assert "\x1b" not in text
    assert yaml.safe_load(text)["authentication"]["header"] == "Authorization"


def test_files_with_names_of_our_own(tmp_path: Path) -> None:
    for name in ("broken-json.json", "Broken JSON.json", "ünï.json", ".json"):
        (tmp_path / name).write_text(json.dumps({"id": name}))
    made = scaffold("made", read_given(sorted(tmp_path.glob("*.json"))), tmp_path, Choices("T"))
    names = {file.stem for file in (made.folder / "samples").glob("*.yaml")}
    assert names == {"broken-json", "broken-json-2", "broken-json-3", "json", "n", "wrong-secret"}


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ScaffoldError, match=r"none\.json: cannot be read: No such file"):
        read_given([tmp_path / "none.json"])
