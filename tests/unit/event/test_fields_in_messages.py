"""Where MozDef's fields stand in a message: beside the body, and never a key twice."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from settings.source.loader import SourceError, load_source
from toolbox.sources.rehearsal import Rehearsal, compiled, make_secret
from toolbox.sources.samples import SampleRequest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

BASE: dict[str, Any] = {
    "version": 1,
    "title": "T",
    "authentication": {"type": "token"},
    "headers": {"keep": ["X-Id", "X-Type"]},
    "delivery_id": {"header": "X-Id"},
}
FIELDS = {
    "sourceipaddress": ["sourceipaddress", "ip"],
    "username": ["user.name", "username"],
    "success": {"path": "result", "values": {"ok": True, "no": False}},
}
SHAPES: dict[str, dict[str, Any]] = {
    "own": {},
    "top": {"body": "top"},
    "shaped": {"details": {"id": "$delivery_id", "sent": "$body"}},
    "plugin": {
        "plugin": {"types": ["kept"], "tags": ["t"], "details": {"event": "$type", "body": "$body"}}
    },
}


@pytest.fixture(scope="module")
def send(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., dict[str, Any]]]:
    sources = {}
    for name, shape in SHAPES.items():
        folder = tmp_path_factory.mktemp("sources") / name
        folder.mkdir()
        mozdef = {"fields": FIELDS, "summary": "{source}{? by {$username}}", **shape}
        settings = BASE | {"mozdef": mozdef, "event_type": {"header": "X-Type"}}
        (folder / "source.yaml").write_text(yaml.safe_dump(settings))
        sources[name] = load_source(folder)
    with compiled(sources) as catalog:
        secret = make_secret()
        rehearsal = Rehearsal(sources, catalog, (secret, secret))

        def message(source: str, body: bytes, kind: str = "kept") -> dict[str, Any]:
            headers = {"Authorization": secret, "X-Id": "1", "X-Type": kind}
            (event,) = rehearsal.take(source, SampleRequest(headers, body), "r").delivered
            found: dict[str, Any] = json.loads(event.message, object_pairs_hook=once)
            return found

        yield message


def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    assert len({name for name, _ in pairs}) == len(pairs), "a key is there twice"
    return dict(pairs)


BODY = b' {"ip": "192.0.2.1", "user": {"name": "mona"}, "result": "no", "n": 1.0e2}'
FILLED = {"sourceipaddress": "192.0.2.1", "username": "mona", "success": False}


def test_fields_stand_beside_the_body(send: Callable[..., dict[str, Any]]) -> None:
    body = json.loads(BODY)
    own = send("own", BODY)
    assert own["summary"] == "own by mona"
    assert own["details"].items() >= FILLED.items()
    assert own["details"]["own"] == body
    assert send("top", BODY)["details"] == FILLED | body
    assert send("shaped", BODY)["details"] == FILLED | {"id": "1", "sent": body}


def test_what_a_plugin_makes_anew_has_none(send: Callable[..., dict[str, Any]]) -> None:
    kept, other = send("plugin", BODY), send("plugin", BODY, "other")
    assert kept["details"] == {"event": "kept", "body": json.loads(BODY)}
    assert kept["summary"] == other["summary"] == "plugin by mona"
    assert other["details"].items() >= FILLED.items()


@pytest.mark.parametrize(
    "body",
    [
        b'{"username": "x", "user": {"name": "mona"}}',
        b'{"\\u0075sername": null, "user": {"name": "mona"}}',
        b'{"username": "hubot", "ip": "192.0.2.1", "sourceipaddress": 7}',
        b'{"success": "true", "result": "no"}',
        b"{}",
        b" { } ",
    ],
)
def test_the_senders_own_key_stays_where_the_body_is_at_the_top(
    send: Callable[..., dict[str, Any]], body: bytes
) -> None:
    own = json.loads(body)
    details = send("top", body)["details"]
    assert details.items() >= own.items()
    assert details.keys() - own.keys() <= FILLED.keys()


def test_a_key_of_another_kind_makes_room_for_the_field(
    send: Callable[..., dict[str, Any]],
) -> None:
    body = b'{"username": {"id": 7}, "user": {"name": "mona"}, "success": "yes", "n": 1.0e2}'
    assert send("top", body)["details"] == {
        "username": "mona",
        "top_username_object": {"id": 7},
        "user": {"name": "mona"},
        "top_success": "yes",
        "n": 100.0,
    }


@pytest.mark.parametrize(
    ("name", "mozdef"),
    [("username", {}), ("success", {}), ("owner", {"fields": {"owner": "a"}})],
)
def test_a_body_and_a_field_have_not_one_name(
    tmp_path: Path, name: str, mozdef: dict[str, Any]
) -> None:
    folder = tmp_path / name
    folder.mkdir()
    (folder / "source.yaml").write_text(yaml.safe_dump(BASE | {"mozdef": mozdef}))
    with pytest.raises(SourceError, match=f"details.{name} is a field of MozDef's"):
        load_source(folder)
    (folder / "source.yaml").write_text(yaml.safe_dump(BASE | {"mozdef": {"body": "top"}}))
    assert load_source(folder).name == name


def test_a_source_without_what_is_asked_for_has_no_field(
    send: Callable[..., dict[str, Any]],
) -> None:
    details = send("own", b'{"ip": "unknown", "user": 7, "result": "?"}')["details"]
    assert not FIELDS.keys() & details.keys()
