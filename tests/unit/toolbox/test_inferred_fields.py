"""`source new` proposes where MozDef's fields are, and a summary that leaves nothing dangling."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from settings.source.loader import load_source
from tests.support.catalogue import built_in
from toolbox.sources.checking import check_sources
from toolbox.sources.checking_paths import unseen_paths
from toolbox.sources.inference import infer, parse_sample
from toolbox.sources.scaffolding import Choices, Given, scaffold

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("events", "fields"),
    [
        (
            [{"actor": {"email": "a@example.com", "ip": "192.0.2.1"}, "success": True}],
            {
                "sourceipaddress": "actor.ip",
                "username": "actor.email",
                "success": "success",
            },
        ),
        (
            [
                {"clientIp": "2001:db8::1", "userAgent": "curl/8", "outcome": {"result": "DENIED"}},
                {"clientIp": None, "outcome": {"result": "Success"}, "user": {"login": "mona"}},
            ],
            {
                "sourceipaddress": "clientIp",
                "username": "user.login",
                "useragent": "userAgent",
                "success": {"path": "outcome.result", "values": {"DENIED": False, "Success": True}},
                "error": {"path": "outcome.result", "values": {"DENIED": True, "Success": False}},
            },
        ),
        (
            [{"src_ip": "192.0.2.1", "src_port": 51515, "dst_ip": "192.0.2.2", "dst_port": "443"}],
            {
                "sourceipaddress": "src_ip",
                "destinationipaddress": "dst_ip",
                "sourceport": "src_port",
                "destinationport": "dst_port",
            },
        ),
        # several senders' worth of names: the likelier first, and none that never fits
        (
            [
                {"ip": "192.0.2.1", "user": "mona"},
                {"source_ip": "192.0.2.2", "email": "m@a.example"},
            ],
            {"sourceipaddress": ["source_ip", "ip"], "username": ["email", "user"]},
        ),
        # what looks alike and is none
        (
            [{"ip": "unknown", "user": "0b7f9c1e-5d1c-4c55-9d15-000000000001", "status": "open"}],
            {},
        ),
        ([{"ip": {"address": "192.0.2.1"}}], {"sourceipaddress": "ip.address"}),
        ([{"server": {"ip": "192.0.2.1"}, "port": 443}], {}),
        ([{"a.b": {"source.ip": "192.0.2.1"}}], {"sourceipaddress": r"a\.b.source\.ip"}),
        ([[], {}][1:], {}),
    ],
)
def test_fields_are_found_by_name_and_value(events: list[Any], fields: dict[str, Any]) -> None:
    assert infer(events).fields == fields


LOGIN = {
    "id": "e-1",
    "type": "login",
    "at": "2026-11-23T10:00:00Z",
    "message": "signed in",
    "result": "refused",
    "user": {"email": "alice@example.com"},
    "client": {"ip": "192.0.2.7"},
}


def test_a_new_source_fills_them_and_its_check_has_nothing_to_say(tmp_path: Path) -> None:
    second = LOGIN | {"id": "e-2", "result": "ok", "client": {"ip": None}, "user": {"email": None}}
    given = [
        Given(f"s{number}", text, parse_sample("s", text))
        for number, text in enumerate(json.dumps(one).encode() for one in (LOGIN, second))
    ]
    folder = scaffold("portal", given, tmp_path, Choices("Portal")).folder
    source = load_source(folder)
    mapping = yaml.safe_load((folder / "source.yaml").read_text())["mozdef"]
    assert mapping["fields"]["username"] == "user.email"
    assert mapping["summary"] == (
        "{source} {type}{?: {message}}{? by {$username}}{? from {$sourceipaddress}}"
    )
    assert unseen_paths(source) == []
    checked = check_sources({"portal": source}, update=True)
    assert all(not one.faults for one in checked)
    first, later = (
        json.loads((folder / "samples" / f"s{number}.mozdef.json").read_text())
        for number in range(2)
    )
    assert first["summary"] == "portal login: signed in by alice@example.com from 192.0.2.7"
    assert first["details"]["success"] is False
    assert first["details"]["error"] is True
    assert later["summary"] == "portal login: signed in"
    assert later["details"]["success"] is True


def test_a_source_made_like_another_has_no_field_that_its_form_has(tmp_path: Path) -> None:
    like = built_in("github")
    text = json.dumps({"action": "x", "sender": {"login": "mona"}, "event": "e"}).encode()
    given = [Given("s", text, parse_sample("s", text))]
    folder = scaffold("copy", given, tmp_path, Choices("Copy"), like).folder
    assert "username" in load_source(folder).settings.mozdef.fields
