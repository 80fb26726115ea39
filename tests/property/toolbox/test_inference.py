"""Whatever JSON the samples hold, what is inferred from them works, or the error says why not."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import fastjsonschema
import orjson
from hypothesis import example, given, settings
from hypothesis import strategies as st

from settings.source.loader import load_source
from toolbox.sources.checking import check_sources
from toolbox.sources.inference import InferenceError, infer, parse_sample
from toolbox.sources.inference_names import IDS, LISTS, TEXTS, TIMES, TYPES
from toolbox.sources.scaffolding import Choices, Given, scaffold

TELLING = st.sampled_from((*IDS, *LISTS, *TEXTS, *TIMES, *TYPES))
ODD = st.sampled_from(
    ["", "a.b", "a b", "ab", "a-b", "a_b", "{x}", "}", '"', "'", "\\", "%s", "$ref", "data", "item",
     "keys", "is_dict", "missing_keys", "__class__", "ünï", "\u2028", "a\nb", "\x00", "😀", "0"]
)  # fmt: skip
KEYS = TELLING | ODD | st.text(max_size=8)
TEXT_VALUES = st.sampled_from(
    ["2026-11-23T10:00:00Z", "2026-11-23", "0b7f9c1e-5d1c-4c55-9d15-2f0f0f0f0f0f", "login", ""]
) | st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.sampled_from([1_795_464_503, 1_795_464_503_123, 0])
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT_VALUES
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)
EVENTS = st.dictionaries(KEYS, VALUES, max_size=6)
SAMPLES = st.lists(EVENTS, min_size=1, max_size=5) | st.lists(
    st.lists(EVENTS, min_size=1, max_size=3), min_size=1, max_size=3
)


def parsed(documents: list[Any]) -> list[Given]:
    samples = []
    for number, document in enumerate(documents):
        content = json.dumps(document).encode()
        samples.append(Given(f"s {number}", content, parse_sample("s", content)))
    return samples


def typed_by_header(samples: list[Given]) -> tuple[list[Given], Choices]:
    """Samples of two types, which a header says, as caught requests have them."""
    kinds = ["made", "gone/now"]
    given = [
        replace(one, kind=kinds[number % 2], headers={"X-Kind": kinds[number % 2]})
        for number, one in enumerate(samples)
    ]
    token = {"type": "token", "header": "X-Token"}
    keep = {"keep": ["Content-Type", "X-Kind"]}
    captured = {"authentication": token, "event_type": {"header": "X-Kind"}, "headers": keep}
    return given, Choices("Made up", captured=captured)


@settings(max_examples=150)
@given(SAMPLES)
def test_the_schemas_accept_the_samples(documents: list[Any]) -> None:
    found = [one.document for one in parsed(documents)]
    proposal = infer(found)
    events = [
        event
        for one in found
        for event in ([one] if proposal.split is None else _at(one, proposal.split))
    ]
    compiled = {
        name: fastjsonschema.compile(schema, use_default=False)
        for name, schema in (*proposal.schemas.items(), (None, proposal.default_schema))
    }
    for event in events:
        name = _at(event, proposal.event_type.path) if proposal.event_type else None
        compiled[None](event)
        compiled[name if name in compiled else None](event)


def _at(document: Any, path: str) -> Any:
    for part in [] if path == "." else path.split("."):
        document = document[part]
    return document


@settings(max_examples=120)
@given(SAMPLES, st.sampled_from(["token", "hmac", "typed"]))
@example([{"delivery_id": ["", {}]}], "token")
def test_the_folder_that_is_written_passes_its_own_check(documents: list[Any], how: Any) -> None:
    checked = None
    with TemporaryDirectory() as directory:
        try:
            given, choices = parsed(documents), Choices("Made up", how)
            if how == "typed":
                given, choices = typed_by_header(given)
            made = scaffold("made-up", given, Path(directory), choices)
        except InferenceError as error:
            said = str(error)
        else:
            said = ""
            checked = check_sources({"made-up": load_source(made.folder)})
    if checked is None:
        assert "duplicate" in said
        return
    assert len(checked) >= 3
    assert [one.faults for one in checked if not one.fits] == []


@given(st.binary(max_size=60) | VALUES.map(lambda value: json.dumps(value).encode()))
def test_a_sample_is_understood_or_refused_in_one_line(content: bytes) -> None:
    try:
        document = parse_sample("s", content)
    except InferenceError as error:
        said = str(error)
    else:
        said = ""
        assert document == orjson.loads(content)
    assert "\n" not in said
