"""A token within the body: Microsoft Graph's `clientState`, Figma's `passcode`, Meraki's secret.

The bodies have the form of the senders' documentation: learn.microsoft.com "Receive change
notifications through webhooks", developers.figma.com "Webhooks V2", developer.cisco.com "Meraki
webhooks".
"""

from __future__ import annotations

import json
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

from pipeline.event.outcomes import Reason
from pipeline.event.secrets import only
from settings.source.loader import SourceError
from tests.support.proving import Proving, written

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SECRET, OTHER = "secretClientState", "previous-client-state"
SOURCES: dict[str, Any] = {
    "graph": {
        "authentication": {"type": "body_token", "path": "value.clientState"},
        "split": {"path": "value"},
        "delivery_id": {"paths": ["subscriptionId", "resource"]},
    },
    "figma": {"authentication": {"type": "body_token", "path": "passcode"}},
    "meraki": {
        "authentication": {"type": "body_token", "path": "sharedSecret"},
        "ingest": "receiver",
        "mozdef": {"body": "top", "rules": [{"keep": "sharedSecret"}]},
    },
    "listed": {
        "authentication": {"type": "body_token", "path": "token"},
        "split": {"path": "."},
    },
}


@pytest.fixture(scope="module")
def proving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proving]:
    with ExitStack() as stack:
        yield Proving(tmp_path_factory.mktemp("proving"), stack, SOURCES)


def graph(*states: object) -> bytes:
    notifications = [
        {
            "id": "lsgTZMr9KwAAA",
            "subscriptionId": f"3755a0a2-{number}",
            "changeType": "created",
            "resource": "Users/ddfcd489/Messages/AAMkADU",
            **({} if state is None else {"clientState": state}),
        }
        for number, state in enumerate(states)
    ]
    return json.dumps({"value": notifications}).encode()


BODIES: dict[str, tuple[bytes, bytes]] = {
    "graph": (graph(SECRET, OTHER), graph(SECRET, "another")),
    "figma": (
        json.dumps({"event_type": "PING", "passcode": SECRET, "webhook_id": "22"}).encode(),
        json.dumps({"event_type": "PING", "passcode": "another", "webhook_id": "22"}).encode(),
    ),
    "meraki": (
        json.dumps({"version": "0.1", "sharedSecret": OTHER, "alertId": "0"}).encode(),
        json.dumps({"version": "0.1", "sharedSecret": "", "alertId": "0"}).encode(),
    ),
    "listed": (
        json.dumps([{"token": SECRET, "a": 1}, {"token": SECRET, "a": 2}]).encode(),
        json.dumps([{"token": SECRET, "a": 1}, {"a": 2}]).encode(),
    ),
}


@pytest.mark.parametrize("name", BODIES)
def test_the_token_lets_in_and_never_reaches_mozdef(proving: Proving, name: str) -> None:
    right, wrong = BODIES[name]
    said, messages = proving.whole(name, (SECRET, OTHER), {}, right)
    assert said == "delivered"
    assert messages
    for message in messages:
        assert SECRET.encode() not in message
        assert OTHER.encode() not in message
        assert b"clientState" not in message
    refused, none = proving.whole(name, (SECRET, OTHER), {}, wrong)
    assert refused == ("401" if name == "meraki" else "bad_signature")
    assert none == []


@pytest.mark.parametrize(
    "body",
    [
        graph(),
        graph(None),
        graph(SECRET, None),
        graph(SECRET, 7),
        graph(SECRET, [SECRET, None]),
        graph(SECRET, {"clientState": SECRET}),
        graph([SECRET, "another"]),
        graph(f"{SECRET} "),
        graph(SECRET[:-1]),
        graph("\ud800"),
        json.dumps({"value": [[{"clientState": SECRET}]]}).encode(),
        json.dumps({"value": {"clientState": "no"}, "clientState": SECRET}).encode(),
        json.dumps({"clientState": SECRET}).encode(),
        b'{"value":[{"clientState":"%b","clientState":"x"}]}' % SECRET.encode(),
        b'"secretClientState"',
        b"[" * 5_000,
        b"",
        b"\xff",
    ],
)
def test_each_place_must_have_one_that_is_right(proving: Proving, body: bytes) -> None:
    assert proving.fault("graph", only(SECRET.encode()), {}, body) is Reason.BAD_SIGNATURE


def test_one_object_in_the_place_of_a_list_is_read_as_well(proving: Proving) -> None:
    body = json.dumps({"value": {"clientState": SECRET}}).encode()
    assert proving.fault("graph", only(SECRET.encode()), {}, body) is None


@pytest.mark.parametrize(
    ("settings", "key"),
    [
        ({"delivery_id": {"path": "passcode"}}, "delivery_id"),
        ({"event_type": {"path": "passcode"}}, "event_type.path"),
        ({"mozdef": {"summary": "{passcode}"}}, "mozdef.summary"),
        ({"mozdef": {"fields": {"username": "passcode"}}}, "mozdef.fields.username"),
        (
            {
                "event_type": {"path": "a"},
                "mozdef": {"plugin": {"types": ["a"], "tags": ["b"]}},
            },
            "mozdef.plugin",
        ),
        ({"authentication": {"type": "body_token", "path": "."}}, "authentication.path"),
    ],
)
def test_settings_that_would_show_the_token_are_refused(
    tmp_path: Path, settings: dict[str, Any], key: str
) -> None:
    with pytest.raises(SourceError, match=key):
        written(tmp_path, "figma", **(SOURCES["figma"] | settings))
