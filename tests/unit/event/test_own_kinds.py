"""A sender's field that has the name of one of MozDef's, and is of another kind."""

from __future__ import annotations

import json
import random
import re
from typing import TYPE_CHECKING, Any

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
]  # fmt: skip
FINE = [
    *({"success": value} for value in (True, False, None, "true", "", [True])),
    {"error": False, "username": "mona", "sourceport": 443, "useragent": ["a", "b"]},
    {"sourceipaddress": "192.0.2.1", "destinationipaddress": "unknown", "username": None},
    {},
]


@pytest.mark.parametrize("body", FINE, ids=str)
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
    assert re.fullmatch(rf"generic_{name}(_flag|_object)?", new)


def test_what_has_the_name_of_another_source_has_a_name_of_its_own() -> None:
    text = b'{"github": true, "okta": {"a": 1}, "generic": 1, "slack-x": 2}'
    made = renamed(text, json.loads(text), "generic", frozenset({"github", "okta", "slack"}))
    assert json.loads(made) == {
        "generic_github_flag": True,
        "generic_okta_object": {"a": 1},
        "generic": 1,
        "slack-x": 2,
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


def test_no_sender_of_the_old_framework_shuts_others_out_of_the_index(
    bench: Bench, catalog: Catalog, sources: dict[str, LoadedSource]
) -> None:
    """In any order with the built-in sources' samples: nobody's document is refused."""
    others = sorted(sources.keys() - {"generic", "zoom"})
    odd = [*ODD, *({name: value} for name in others for value in ("x", OBJECT))]
    bench.run(*(record(generic(body)) for body in (*odd, *FINE)))
    mine = [handled(message).document for message in bench.sqs.bodies()]
    assert len(mine) == len(odd) + len(FINE)
    documents = [*mine, *(one.document for one in searchable_samples(sources, catalog))]
    for seed in range(5):
        random.Random(seed).shuffle(documents)
        index = Index()
        for document in documents:
            assert document is not None
            assert index.add(document) is None, document["details"]
