"""MozDef's fields of `details`: each of its kind, taken from the first place that has one."""

from __future__ import annotations

import ipaddress
import json
from typing import Any

import pytest
from pydantic import ValidationError

from pipeline.event.detail_fields import (
    LONGEST_TEXT,
    DetailFields,
    address_of,
    flag_of,
    port_of,
    text_of,
    with_fields,
)
from pipeline.event.judgement import TypeTable, ValueRules
from settings.source.mozdef_mapping import MozdefMapping


def filled(fields: dict[str, Any], body: Any, event_type: str = "t") -> dict[str, Any]:
    mapping = MozdefMapping.model_validate({"fields": fields})
    plan = DetailFields(mapping.field_plan)
    # The compiled catalogue holds what its repr says.
    again = eval(repr(plan), {"DetailFields": DetailFields})
    assert again.values(event_type, body) == plan.values(event_type, body)
    return plan.values(event_type, body)


@pytest.mark.parametrize(
    "address",
    ["192.0.2.1", "2001:db8::1", "::1", "0.0.0.0", "2001:DB8:0:0:0:0:0:1", " 192.0.2.1 "],
)
def test_an_address_is_kept(address: str) -> None:
    assert address_of(address) == address.strip()
    ipaddress.ip_address(address.strip())


@pytest.mark.parametrize(
    "value",
    [
        *("", "unknown", "-", "localhost", "example.com", "192.0.2", "192.0.2.256", "1.2.3.4.5"),
        *("192.0.2.1:443", "192.0.2.0/24", "[2001:db8::1]", "fe80::1%eth0", "2001:db8:::1", "::g"),
        *("192.0.2.1, 192.0.2.2", "192.0.2.1\x00", "\u0661.0.2.1", "01.2.3.4", "0x7f.1", "\ud800"),
        *(3221225985, 1.5, True, None, ["192.0.2.1"], {"ip": "192.0.2.1"}),
    ],
)
def test_what_is_no_address_is_left_out(value: Any) -> None:
    assert address_of(value) is None
    assert filled({"sourceipaddress": "ip"}, {"ip": value}) == {}


def test_an_ipv4_address_in_the_form_of_an_ipv6_one_is_ipv4() -> None:
    """MozDef's plugin would put 0.0.0.0 in its place."""
    assert address_of("::FFFF:192.0.2.1") == "192.0.2.1"
    assert address_of("::ffff:c000:201") == "::ffff:c000:201"
    assert address_of("::ffff:example.com") is None


@pytest.mark.parametrize(
    ("value", "port"),
    [
        (443, 443),
        ("443", 443),
        (65535, 65535),
        (1, 1),
        *((odd, None) for odd in (0, -1, 65536, "65536", "", "http", "4 4", "²", True, 1.0, [443])),
        ("0" * 10_000 + "1", None),
    ],
)
def test_a_port_is_a_number_in_range(value: Any, port: int | None) -> None:
    assert port_of(value) == port


def test_a_flag_is_a_flag_and_nothing_that_looks_like_one() -> None:
    assert [flag_of(value) for value in (True, False)] == [True, False]
    assert not any(flag_of(odd) is not None for odd in ("true", 1, 0, "", None, [True], "yes"))


def test_a_text_is_bounded_and_of_one_line() -> None:
    assert text_of("Mozilla/5.0\r\nX: \u202ey") == "Mozilla/5.0 X: \\u202ey"
    assert len(str(text_of("\u202e" * 50_000))) <= LONGEST_TEXT
    assert text_of(7) == "7"
    nothing: tuple[Any, ...] = ("", " \n", None, {}, [])
    assert not any(text_of(one) for one in nothing)


def test_the_first_place_that_has_a_value_of_its_kind_is_taken() -> None:
    fields = {
        "sourceipaddress": ["device.ip", "ip", "ips.0"],
        "username": ["user", "user.name", "email"],
    }
    body: dict[str, Any] = {
        "device": {"ip": "unknown"},
        "ips": ["192.0.2.9"],
        "user": {"name": "mona"},
    }
    assert filled(fields, body) == {"sourceipaddress": "192.0.2.9", "username": "mona"}
    for body in ({}, {"user": {}}, {"user": []}):
        assert filled(fields, body) == {}


def test_a_text_stands_for_what_the_source_says() -> None:
    result = {"path": "result", "values": {"ok": True, "denied": False, "1": True}}
    fields: dict[str, Any] = {
        "success": [result, {"path": "$type", "values": {"login": True}}, "fine"],
        "error": {"path": "result", "values": {"ok": False}, "otherwise": True},
        "eventname": {"path": "$type", "values": {"fp": "Failed Login"}},
    }
    assert filled(fields, {"result": "ok"}) == {"success": True, "error": False}
    assert filled(fields, {"result": "denied"}) == {"success": False, "error": True}
    assert filled(fields, {"result": 1}) == {"success": True, "error": True}
    assert filled(fields, {"result": "?"}, "login") == {"success": True, "error": True}
    assert filled(fields, {"fine": False}, "fp") == {"eventname": "Failed Login", "success": False}
    assert filled(fields, {"fine": "false"}) == {}


@pytest.mark.parametrize(
    ("fields", "fault"),
    [
        ({"success": {"path": "a", "values": {"ok": "yes"}}}, "true or false"),
        ({"error": {"path": "a", "values": {"ok": True}, "otherwise": "no"}}, "true or false"),
        ({"username": {"path": "a", "values": {"ok": True}}}, "texts"),
        ({"username": {"path": "a", "values": {"ok": ""}}}, "1 to"),
        ({"sourceport": {"path": "a", "values": {"ok": "1"}}}, "without 'values'"),
        ({"username": {"path": "a", "otherwise": "b"}}, "needs 'values'"),
        ({"username": []}, "at least 1"),
        ({"User.Name": "a"}, "pattern"),
    ],
)
def test_a_field_of_another_kind_is_refused_at_build(fields: dict[str, Any], fault: str) -> None:
    with pytest.raises(ValidationError, match=fault):
        MozdefMapping.model_validate({"fields": fields})


def test_a_field_and_a_part_of_details_have_not_the_same_name() -> None:
    shape = {"details": {"event": "$type", "body": "$body"}, "fields": {"event": "a"}}
    with pytest.raises(ValidationError, match="both have event"):
        MozdefMapping.model_validate(shape)


@pytest.mark.parametrize("body", [b"{}", b" \n{ }", b'{"a": 1.0e2}', b'\t{"a":\n"\\u00e9{" }\n'])
def test_fields_stand_before_the_members_of_an_object(body: bytes) -> None:
    value = json.loads(body)
    text = b"".join(with_fields({"success": True, "username": "é"}, body, filled=bool(value)))
    assert json.loads(text) == {"success": True, "username": "é"} | value
    assert text.endswith(body.lstrip()[1:])
    assert b"".join(with_fields({}, body, filled=bool(value))) == body


def rules(*some: dict[str, Any]) -> ValueRules:
    mapping = MozdefMapping.model_validate({"by_value": list(some)})
    made = ValueRules(mapping.value_rules)
    again: ValueRules = eval(repr(made), {"ValueRules": ValueRules})
    return again


def test_the_first_rule_that_fits_says_what_an_event_counts_as() -> None:
    judge = rules(
        {"when": {"result": "FRAUD"}, "severity": "CRITICAL"},
        {"when": {"result": ["FRAUD", "DENY"]}, "types": ["login.*"], "severity": "WARNING"},
        {"when": {"result": "DENY"}, "category": "authorization", "severity": "NOTICE"},
        {"when": {"risk": 3, "known": False}, "category": "risk", "severity": "ERROR"},
    ).judge
    assert judge("login.start", {"result": "FRAUD"}) == (None, "CRITICAL")
    assert judge("login.start", {"result": "DENY"}) == ("authorization", "WARNING")
    assert judge("logout", {"result": "DENY"}) == ("authorization", "NOTICE")
    assert judge("logout", {"result": "ALLOW", "risk": 3}) == (None, None)
    assert judge("logout", {"risk": 3, "known": False}) == ("risk", "ERROR")
    assert judge("logout", []) == (None, None)


def test_the_longest_beginning_of_a_type_counts() -> None:
    table = TypeTable({"user.*": "u", "user.session.*": "s", "user.session.end": "e", "*": "all"})
    types = ("user.x", "user.session.start", "user.session.end", "group.x", "")
    assert [table.get(one) for one in types] == ["u", "s", "e", "all", "all"]
    assert TypeTable({"user.*": "u"}).get("users") is None


def test_types_that_somebody_makes_up_take_no_memory() -> None:
    table = TypeTable({"user.*": "u"})
    for number in range(5_000):
        assert table.get(f"user.{number}") == "u"
        assert table.get(f"group.{number}") is None
        assert table.get("user." + "x" * 10_000) == "u"
    assert sum(map(len, table._known)) <= 200 * 1_000
    assert table.get("user.1") == "u"


@pytest.mark.parametrize(
    ("rule", "fault"),
    [
        ({"when": {"a": 1}}, "'category', 'severity' or both"),
        ({"when": {}, "severity": "INFO"}, "at least 1"),
        ({"when": {"a": []}, "severity": "INFO"}, "at least 1"),
        ({"when": {"a": None}, "severity": "INFO"}, "valid"),
    ],
)
def test_a_rule_that_says_nothing_is_refused(rule: dict[str, Any], fault: str) -> None:
    with pytest.raises(ValidationError, match=fault):
        rules(rule)


@pytest.mark.parametrize("value", [{}, [], "", None, {"a": 1}, [1]])
def test_what_is_no_scalar_has_no_meaning(value: Any) -> None:
    """`otherwise` is for another text: an empty list is no refused sign-in."""
    field = {"success": {"path": "r", "values": {"ok": True}, "otherwise": False}}
    assert filled(field, {"r": value}) == {}
    assert filled(field, {"r": "no"}) == {"success": False}
