"""A sender's field that has the name of one of MozDef's, and is of another kind."""

from __future__ import annotations

import json
import random
import re
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from pipeline.event.own_kinds import renamed
from tests.support.bench import generic, record
from toolbox.mozdef.index import Index
from toolbox.mozdef.worker import handled
from toolbox.sources.mozdef_table import searchable_samples

if TYPE_CHECKING:
    from pipeline.event.compiled_source import Catalog
    from settings.source.loader import LoadedSource
    from tests.support.bench import Bench

OBJECT, LIST = {"a": {"b": 1}}, [None, {"a": {"b": 2}}]
DEEP = 600


def nested(value: Any, lists: int) -> Any:
    for _ in range(lists):
        value = [value]
    return value


#: What a C library takes for an IPv4 address, and MozDef's index does not.
TRAPS = ["1.2.3", "10.1", "010.1.1.1", "0x7f.0.0.1", "5", "192.0.2.1 ", "3221225985"]
ODD = [
    *({name: value} for name in ("success", "error") for value in ("yes", 1, OBJECT, LIST)),
    *(
        {name: value}
        for name in ("username", "useragent", "sourceport", "result", "event", "description")
        for value in (True, OBJECT, LIST, [False])
    ),
    *({name: value} for name in ("sourceipaddress", "sourceuri") for value in (OBJECT, True)),
    *({name: value} for name in ("apiversion", "sourceipgeolocation") for value in ("x", True)),
    *({"requestparameters": value} for value in ("x", {"logstreamname": "y"})),
    {"sourceipgeopoint": "91,181"},
    *({"http_x_forwarded_for": value} for value in (5, None, True, ["192.0.2.1"], {}, OBJECT)),
    *({"http_x_forwarded_for": value} for value in (*TRAPS, "10.1, 192.0.2.1", "192.0.2.1 ,x")),
    *(
        {name: value}
        for name in ("sourceipaddress", "destinationipaddress", "src", "srcip", "dst", "dstip")
        for value in TRAPS
    ),
    *(
        {name: value}
        for name in ("success.x", "error..x", "sourceipaddress.x", "username.x.y", "success.",
                     "http_x_forwarded_for.x", "sourceipgeopoint.lat", "requestparameters.x",
                     "username.*", "username.**", "apiversion.raw_value.x")
        for value in ("x", 1, None, True, OBJECT)
    ),
    *({"apiversion": value} for value in ({"raw_value": {"x": 1}}, [{"raw_value": [OBJECT]}])),
    {"apiversion": {"raw_value.x": 1}},
    {"apiversion.raw_value": OBJECT},
    *({"sourceipgeolocation": {name: value}} for name, value in (("city", OBJECT), ("city.x", 1))),
    {"sourceipgeolocation": {"latitude": True}},
    {"destinationipgeolocation.city": OBJECT},
    {"success": [[], OBJECT]},
    *({name: nested(value, 18)} for name, value in (("success", True), ("apiversion", {}))),
    *({"success": nested(value, DEEP)} for value in (True, OBJECT)),
    *({name: value} for name in ("source", "destination", "source.x") for value in (True, OBJECT)),
]  # fmt: skip
FINE = [
    *({"success": value} for value in (True, False, None, "true", "", [True])),
    {"error": False, "username": "mona", "sourceport": 443, "useragent": ["a", "b"]},
    {"sourceipaddress": "192.0.2.1", "destinationipaddress": "unknown", "username": None},
    *({name: "192.0.2.1"} for name in ("src", "srcip", "dst", "dstip", "http_x_forwarded_for")),
    *({name: "2001:db8::1"} for name in ("sourceipaddress", "src", "http_x_forwarded_for")),
    *({name: "1.2.3.host"} for name in ("sourceipaddress", "dst", "http_x_forwarded_for")),
    {"sourceipaddress": "9.9.9.9", "dst": "9.9.9.9", "destinationipaddress": "9.9.9.9"},
    {"http_x_forwarded_for": "192.0.2.1, 10.1", "src": 5, "dst": None, "successes.x": 1},
    {"sourceipaddress": "host", "destination": "x"},
    {"apiversion": {"raw_value": "1"}, "apiversion.raw_value": 2, "requestparameters": None},
    {"apiversion": [{"raw_value": ["1", None]}], "sourceipgeolocation.city": "x"},
    {"destinationipgeolocation": {"city": "x", "dma_code": None, "latitude": 1.5}},
    *(
        {name: nested("x", lists)}
        for name in ("username", "sourceport")
        for lists in (17, 490, DEEP)
    ),
    {"success": nested(True, 17), "apiversion": nested({}, 16), "own": nested(True, DEEP)},
    {},
]


@pytest.mark.parametrize("body", [*FINE, {"src.x": 1}, {"dst": OBJECT}], ids=str)
def test_what_fits_is_the_senders_own(body: dict[str, Any]) -> None:
    text = json.dumps(body, indent=1).encode()
    assert renamed(text, body, "generic") is text


@pytest.mark.parametrize("body", ODD, ids=str)
def test_what_does_not_fit_has_a_name_of_its_own(body: dict[str, Any]) -> None:
    ((name, value),) = body.items()
    text = json.dumps(body | {"n": 1.0, "z": OBJECT}, indent=1).encode()
    made = json.loads(renamed(text, json.loads(text), "generic"))
    assert made.pop("n") == 1
    assert made.pop("z") == OBJECT
    ((new, kept),) = made.items()
    assert kept == value
    assert re.fullmatch(rf"generic_{re.escape(name.replace('.', '_'))}(_flag|_object)?", new)


def test_what_has_the_name_of_another_source_has_a_name_of_its_own() -> None:
    text = b'{"github": true, "okta": {"a": 1}, "generic": 1, "slack-x": 2, "slack.x": 3}'
    made = renamed(text, json.loads(text), "generic", frozenset({"github", "okta", "slack"}))
    assert json.loads(made) == {
        "generic_github_flag": True,
        "generic_okta_object": {"a": 1},
        "generic": 1,
        "slack-x": 2,
        "generic_slack_x": 3,
    }


def test_all_other_bytes_stay() -> None:
    text = b' { "error" : "boom", "n": 1.0e2, "\\u0073uccess":"yes","generic_error":0 }'
    made = renamed(text, json.loads(text), "generic")
    assert b'"n": 1.0e2' in made
    found = json.loads(made)
    assert found.pop("generic_success") == "yes"
    assert found.pop("n") == 100
    assert sorted(map(str, found.values())) == ["0", "boom"]
    assert not {"error", "success"} & found.keys()


@pytest.mark.parametrize("levels", [490, 900])
@pytest.mark.parametrize("name", ["username", "success", "apiversion", "src", "username.x"])
def test_lists_may_be_as_deep_as_a_parser_takes_them(name: str, levels: int) -> None:
    text = b'{"%s":%strue%s}' % (name.encode(), b"[" * levels, b"]" * levels)
    made = renamed(text, orjson.loads(text), "generic")
    new = name if name in {"src", "username"} else f"generic_{name.replace('.', '_')}"
    assert made == text.replace(name.encode(), new.encode(), 1)


def test_names_that_become_one_stay_apart_and_a_star_is_a_star() -> None:
    body = {"error.x": 1, "error": {}, "generic_error_x": 2, "error..x": 3, "error._x": 4}
    body |= {"error.*": 5, "error.y": 6}
    made = json.loads(renamed(json.dumps(body).encode(), body, "generic"))
    assert made == {
        "generic_error_x_2": 1,
        "generic_error_object": {},
        "generic_error_x": 2,
        "generic_error__x": 3,
        "generic_error__x_2": 4,
        "generic_error_*": 5,
        "generic_error_y": 6,
    }


@pytest.mark.parametrize(
    "value", [*TRAPS, "192.0.2.1", "host", "", "2001:db8::1", "::ffff:1.2.3.4"]
)
def test_what_mozdefs_plugin_makes_of_an_address_is_one_for_its_index(value: str) -> None:
    """The other side is the model: a name stays if what MozDef makes of it can be indexed."""
    for name in ("sourceipaddress", "destinationipaddress", "src", "srcip", "dst", "dstip"):
        body = {name: value}
        text = json.dumps(body).encode()
        document = handled({"tags": [], "details": body}).document
        assert document is not None
        assert (renamed(text, body, "generic") is text) == (Index().add(document) is None), name


def test_no_sender_of_the_old_framework_shuts_others_out_of_the_index(
    bench: Bench, catalog: Catalog, sources: dict[str, LoadedSource]
) -> None:
    """In any order with the built-in sources' samples: nobody's document is refused."""
    others = sorted(sources.keys() - {"generic", "zoom"})
    odd = [*ODD, *({name: value} for name in others for value in ("x", OBJECT))]
    bench.run(*(record(generic(json.dumps(body).encode())) for body in (*odd, *FINE)))
    mine = [handled(message).document for message in bench.sqs.bodies()]
    assert len(mine) == len(odd) + len(FINE)
    samples = list(searchable_samples(sources, catalog))
    for seed in range(8):
        # One index has room for some twenty sources beside these; `config check` counts.
        chance = random.Random(seed)
        chosen = chance.sample(sorted(sources), 20)
        documents = [*mine, *(one.document for one in samples if one.source in chosen)]
        chance.shuffle(documents)
        index = Index()
        for document in documents:
            assert document is not None
            assert index.add(document) is None, document["details"]
