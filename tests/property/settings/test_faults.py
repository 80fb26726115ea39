"""Whatever Pydantic finds in a settings file comes out with a key and in our own words."""

from __future__ import annotations

import copy
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from settings import delivery_pipeline, deployment
from settings.expectations import faults_of
from settings.source import authentication, handshake, model, polling
from settings.source.loader import available_sources
from toolbox.sources import sample_file, samples_as_sent

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[3]
MODULES = (
    authentication,
    delivery_pipeline,
    deployment,
    handshake,
    model,
    polling,
    sample_file,
    samples_as_sent,
)
CLASSES = {
    name
    for module in MODULES
    for name, one in vars(module).items()
    if isinstance(one, type) and issubclass(one, BaseModel)
}
WORDS = re.compile(
    r"Input should|should be|should have|should match|should not|Field required|Extra inputs"
    r"|Value error|Assertion|Unable to|validation error|pydantic|discriminator|instance of"
    r"|constrained|function-|\b(str|int|dict|tuple|bool|float|NoneType)\b|literal\["
)
#: Words of a sentence that are the name of a class, too.
PLAIN = {"Feed", "Window", "Split", "Queue", "Headers", "Model", "Source"}


def _read(path: Path) -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load(path.read_text())
    return document


DOCUMENTS: list[tuple[type[BaseModel], dict[str, Any]]] = [
    *((model.Source, _read(folder / "source.yaml")) for folder in available_sources().values()),
    (
        deployment.Deployment,
        {"stage": "dev", **_read(ROOT / "config" / "extended-example.yaml")},
    ),
    (delivery_pipeline.DeliverySettings, _read(ROOT / "config" / "delivery-example.yaml")),
    *(
        (sample_file.SampleFile, _read(path))
        for path in sorted(ROOT.glob("catalog/zoom/samples/*.yaml"))
    ),
]
KEYS = st.sampled_from(["type", "mode", "provider", "header", "path", "name", "odd", "", "a.b\n"])
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats()
    | st.text(max_size=9)
    | st.binary(max_size=3)
    | st.dates()
    | st.sampled_from(
        [
            -1,
            0,
            1.5,
            10**9,
            "hmac",
            "token",
            "poll",
            "receiver",
            "both",
            "github",
            "x" * 300,
            "{who}",
        ]
    )
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS | SCALARS, inner, max_size=3),
    max_leaves=5,
)


def _places(node: Any, here: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    children = node.items() if isinstance(node, dict) else enumerate(node)
    for key, value in children:
        yield (*here, key)
        if isinstance(value, dict | list):
            yield from _places(value, (*here, key))


@st.composite
def wrong_documents(draw: st.DrawFn) -> tuple[type[BaseModel], dict[str, Any]]:
    kind, good = draw(st.sampled_from(DOCUMENTS))
    document = copy.deepcopy(good)
    for _ in range(draw(st.integers(1, 4))):
        *way, last = draw(st.sampled_from(sorted(_places(document), key=repr)))
        node: Any = document
        for key in way:
            node = node[key]
        match draw(st.sampled_from(["set", "add", "remove"])):
            case "set":
                node[last] = draw(VALUES)
            case "add" if isinstance(node, dict):
                node[draw(KEYS)] = draw(VALUES)
            case "remove" if isinstance(node, dict) and len(document) > 1:
                del node[last]
    return kind, document


@settings(max_examples=500)
@given(wrong_documents())
def test_every_fault_has_a_key_and_an_expectation(
    wrong: tuple[type[BaseModel], dict[str, Any]],
) -> None:
    kind, document = wrong
    try:
        kind.model_validate(document)
    except ValidationError as error:
        faults = faults_of(error, document, "file.yaml")
        told = {fault.key.partition(".")[0] for fault in faults}
        for one in error.errors(include_url=False):
            place = "".join(str(part) for part in one["loc"][:1])
            assert not place or place.partition(".")[0] in told or not place.isprintable()
    else:
        return
    assert faults
    assert len(set(faults)) == len(faults)
    for fault in faults:
        assert fault.key
        assert fault.expected
        assert fault.expected != "expected a value of another form", error_types(kind, document)
        assert "\n" not in str(fault)
        assert str(fault).isprintable()
        assert not WORDS.search(fault.expected), fault
        assert not set(re.findall(r"\w+", fault.expected)) & (CLASSES - PLAIN), fault


def error_types(kind: type[BaseModel], document: Any) -> list[str]:
    try:
        kind.model_validate(document)
    except ValidationError as error:
        return [one["type"] for one in error.errors()]
    return []
