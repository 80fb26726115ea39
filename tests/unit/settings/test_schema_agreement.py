"""The module that ships is held to the reference library: a broken one does not get through."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from pipeline.event.compiled_source import CompiledSource
from settings.config_check import check_config
from settings.source import agreements, compiler, schema_agreement
from settings.source.compiler import write_compiled_catalog
from settings.source.errors import SourceError
from settings.source.loader import load_source
from settings.source.sample_bodies import LARGEST_BODY, MOST_EVENTS, sample_bodies
from settings.source.schema_agreement import check_module
from settings.source.schema_code import validator_code
from settings.source.schema_reference import reference_for
from settings.source.schemas import CompiledSchema, read_schema
from tests.support.catalogue import built_in
from toolbox.cli.source_check import check_folders

if TYPE_CHECKING:
    from pathlib import Path

ACCOUNT = {"type": "object", "required": ["id"], "properties": {"id": {"type": "integer"}}}
EVERY_RULE: dict[str, Any] = {
    "$id": "https://example.com/every-rule.json",
    "type": "object",
    "required": ["type", "actor"],
    "additionalProperties": False,
    "properties": {
        "type": {"enum": ["a", "b"]},
        "one": {"const": {"a": [1, None]}},
        "actor": {"$ref": "#/definitions/account"},
        "target": {"$ref": "#/definitions/account"},
        "text": {"type": "string", "minLength": 2, "maxLength": 5, "pattern": "^[a-z]+$"},
        "number": {"type": "number", "minimum": 0, "maximum": 10},
        "steps": {"type": "number", "multipleOf": 3},
        "between": {"type": "integer", "exclusiveMinimum": 3, "exclusiveMaximum": 9},
        "list": {"items": {"type": ["string", "null"]}, "minItems": 1, "maxItems": 3},
        "set": {"uniqueItems": True, "items": {"type": "string"}},
        "with": {"contains": {"const": "text"}},
        "named": {
            "type": "object",
            "minProperties": 2,
            "maxProperties": 4,
            "propertyNames": {"maxLength": 12},
            "patternProperties": {"^x-": {"type": "integer"}},
        },
        "linked": {
            "properties": {"a": {}, "b": {}, "c": {}, "d": {}},
            "dependencies": {"a": ["b"], "c": {"required": ["d"]}},
        },
        "tuple": {"items": [{"type": "string"}, {"type": "boolean"}], "additionalItems": False},
        "either": {"anyOf": [{"type": "string"}, {"type": "integer", "minimum": 1}]},
        "only": {"oneOf": [{"type": "string"}, {"type": "integer"}]},
        "none": {"type": "string", "not": {"enum": ["none"]}},
        "never": False,
        "open": {"type": "object", "additionalProperties": {"type": "integer"}},
        "case": {
            "type": "object",
            "if": {"required": ["a"]},
            "then": {"required": ["b"], "properties": {"a": {"type": "string"}}},
            "else": {"required": ["c"]},
        },
    },
    "definitions": {"account": ACCOUNT},
}
RAISE = re.compile(r"^( *)raise JsonSchemaValueException\(.*$", re.MULTILINE)


def compiled(folder: Path, schema: Any) -> CompiledSchema:
    path = folder / "event.json"
    path.write_text(json.dumps(schema))
    return read_schema(path)


def is_refused(schema: CompiledSchema, folder: Path, code: str) -> bool:
    module = folder / "module.py"
    module.write_text(code)
    try:
        check_module(schema, module, {})
    except SourceError as error:
        return {fault.file for fault in error.faults} == {str(schema.file)}
    return False


def mutants(code: str) -> list[tuple[str, str]]:
    """Each rule dropped, each type swapped, each call of a definition dropped, each number moved.

    Without the part of a line that says which value broke which rule.
    """
    found = []
    for match in RAISE.finditer(code):
        if "inifinity reached" in match[0]:
            continue  # Of a quotient beyond 1.8e308: no event has such a number.
        text = f"{match[1]}pass"
        found.append((match[0].strip()[:120], code[: match.start()] + text + code[match.end() :]))
    swaps = [
        (r"\(str\)", "(int)"),
        (r"\(int\)", "(str)"),
        (r"\(dict\)", "(list)"),
        (r"\(list, tuple\)\):", "(dict)):"),
        (r"\(int, float, Decimal\)\) or", "(int)) or"),
        (r"(?<=_len) < (?=\d)", " <= "),
        (r"(?<=_len) > (?=\d)", " >= "),
        (r"(?<=data__number) [<>] (?=\d)", " == "),
        (r"(?<=data__between) <= (?=\d)", " < "),
        (r"(?<=data__between) >= (?=\d)", " > "),
        (r"^ +validate_\w+\(.*$", ""),
    ]
    for before, after in swaps:
        for match in re.finditer(before, code, re.MULTILINE):
            indent = re.match(r" *", match[0])
            text = f"{indent[0]}pass" if indent and not after else after
            changed = code[: match.start()] + text + code[match.end() :]
            found.append((f"{match[0].strip()[:60]} -> {text.strip()}", changed))
    return found


class KnownReference:
    """The reference library on one schema, which judges an instance once for all mutants."""

    def __init__(self, schema: CompiledSchema) -> None:
        self._reference = reference_for(schema)
        self._cases = list(schema_agreement._made_cases(schema, self._reference, {}))
        # By the object: the cases are kept, and 1, 1.0 and true are equal.
        self._known = {
            id(one.instance): self._reference.is_valid(one.instance) for one in self.cases()
        }

    def cases(self, *_: Any) -> list[schema_agreement.Case]:
        return self._cases

    def is_valid(self, instance: Any) -> bool:
        return self._known[id(instance)]

    def iter_errors(self, instance: Any) -> Any:
        return self._reference.iter_errors(instance)


def test_every_rule_of_the_shipped_module_is_needed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    schema = compiled(tmp_path, EVERY_RULE)
    assert not is_refused(schema, tmp_path, schema.code)
    known = KnownReference(schema)
    monkeypatch.setattr(schema_agreement, "reference_for", lambda _: known)
    monkeypatch.setattr(schema_agreement, "_made_cases", known.cases)
    monkeypatch.setattr(schema_agreement, "_against_specification", lambda *_: ())
    monkeypatch.setattr(agreements, "is_known", lambda _: False)
    assert not is_refused(schema, tmp_path, schema.code)
    tried = mutants(schema.code)
    assert len(tried) >= 90
    assert [name for name, code in tried if not is_refused(schema, tmp_path, code)] == []


@pytest.mark.parametrize("code", ["", "def validate(data): return data", "validate = 1", "x ="])
def test_a_module_that_checks_nothing_is_refused(tmp_path: Path, code: str) -> None:
    assert is_refused(compiled(tmp_path, EVERY_RULE), tmp_path, code)


def test_a_disagreement_names_the_file_the_rule_and_both_verdicts(tmp_path: Path) -> None:
    schema = compiled(tmp_path, {"properties": {"a": {"type": "string"}}, "required": ["a"]})
    module = tmp_path / "module.py"
    module.write_text(schema.code.replace("(str)", "(int)"))
    with pytest.raises(SourceError) as caught:
        check_module(schema, module, {"push": {"a": "text"}})
    by_sample = caught.value.faults[0]
    assert by_sample.file == str(tmp_path / "event.json")
    assert by_sample.expected == (
        "sample push: the validator that would ship refuses it (data.a must be string), the"
        ' reference library (jsonschema) accepts it: {"a": "text"}'
    )
    made = [fault for fault in caught.value.faults if fault.key == "/properties/a/type"]
    assert "accepts it, the reference library (jsonschema) refuses it" in made[0].expected


@pytest.mark.parametrize(
    ("schema", "key", "expected"),
    [
        ({"exclusiveMinimum": True}, "/exclusiveMinimum", "True is not of type 'number'"),
        ({"multipleOf": 0}, "/multipleOf", "0 is less than or equal to the minimum of 0"),
        ({"$comment": {"type": "object"}}, "/$comment", "is not of type 'string'"),
        ({"not": {}}, "", "no event is known that it accepts"),
    ],
)
def test_a_schema_that_cannot_mean_what_it_says_is_refused(
    tmp_path: Path, schema: Any, key: str, expected: str
) -> None:
    read = compiled(tmp_path, schema)
    module = tmp_path / "module.py"
    module.write_text(read.code)
    with pytest.raises(SourceError) as caught:
        check_module(read, module, {})
    assert caught.value.faults[0].key == key
    assert expected in caught.value.faults[0].expected


def test_an_odd_pattern_is_shown_to_work_by_a_sample(tmp_path: Path) -> None:
    code = {"type": "string", "pattern": "^Zq[0-9]{3}!$"}
    schema = compiled(tmp_path, {"required": ["code"], "properties": {"code": code}})
    assert is_refused(schema, tmp_path, schema.code)
    check_module(schema, tmp_path / "module.py", {"one": {"code": "Zq123!"}})


def test_a_sample_is_spoiled_as_well(tmp_path: Path) -> None:
    properties = {"code": {"type": "string", "pattern": "^Zq[0-9]{3}!$"}, "id": {"type": "integer"}}
    schema = compiled(tmp_path, {"required": ["code", "id"], "properties": properties})
    module = tmp_path / "module.py"
    sample = {"one": {"code": "Zq123!", "id": 1}}
    for before, after in (
        ("(str)", "(str, int)"),
        ("(int)", "(int, str)"),
        ("['code', 'id']", "[]"),
    ):
        module.write_text(schema.code)
        check_module(schema, module, sample)
        assert before in schema.code
        module.write_text(schema.code.replace(before, after))
        with pytest.raises(SourceError, match="the reference library"):
            check_module(schema, module, sample)


def test_the_bodies_of_samples_are_read_in_each_form_and_within_bounds(tmp_path: Path) -> None:
    folder = tmp_path / "samples"
    folder.mkdir()
    many = json.dumps({"events": [{"n": number} for number in range(30)], "other": ["text"]})
    samples = {
        "text": {"body": '{"id": 1}'},
        "file": {"body_file": "many.json"},
        "base64": {"body_base64": "WzFd"},
        "broken": {"body": "{"},
        "large": {"body": json.dumps("x" * LARGEST_BODY)},
        "absent": {"body_file": "none.json"},
        "folder": {"body_file": "."},
        "nothing": {},
    }
    for name, sample in samples.items():
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(sample))
    (folder / "many.json").write_text(many)
    (folder / "list.yaml").write_text("- 1")
    (folder / "wrong.yaml").write_text("a: [")
    found = sample_bodies(tmp_path)
    assert found.pop("text") == {"id": 1}
    assert found.pop("base64") == [1]
    assert found.pop("file") == json.loads(many)
    assert found == {f"file.events[{number}]": {"n": number} for number in range(MOST_EVENTS)}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "sources" / "sender"
    (made / "samples").mkdir(parents=True)
    settings = {
        "version": 1,
        "title": "A sender",
        "authentication": {"type": "token"},
        "delivery_id": {"path": "id"},
        "schemas": {"default": "event.json"},
    }
    sample = {"description": "d", "body": '{"id":"x"}', "expect": {"outcome": "delivered"}}
    schema = {
        "$id": "https://example.com/event.json",
        "type": "object",
        "required": ["id"],
        "properties": {"id": {"type": "string"}},
    }
    (made / "source.yaml").write_text(yaml.safe_dump(settings))
    (made / "samples" / "one.yaml").write_text(yaml.safe_dump(sample))
    (made / "event.json").write_text(json.dumps(schema))
    return made


def test_a_sample_of_a_schema_with_an_identifier_is_delivered(folder: Path) -> None:
    (one,) = check_folders({"sender": folder})
    assert (one.actual, one.faults) == ("delivered", ())
    assert check_config(folder.parents[1]).faults == []


@pytest.mark.parametrize(("before", "after"), [("(str)", "(int)"), ("raise Json", "Json")])
def test_a_compiler_that_is_wrong_stops_build_and_checks(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: str, after: str
) -> None:
    def broken(*arguments: Any, **options: Any) -> str:
        code = validator_code(*arguments, **options)
        assert before in code
        return code.replace(before, after)

    monkeypatch.setattr("settings.source.schemas.validator_code", broken)
    source = load_source(folder)
    with pytest.raises(SourceError, match=r"event\.json: /.*the reference library"):
        write_compiled_catalog({"sender": source}, tmp_path, "broken")
    (one,) = check_folders({"sender": folder})
    assert "the validator that would ship" in one.faults[0]
    assert check_config(folder.parents[1]).faults


def test_what_is_checked_is_the_file_that_was_written(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = {}

    def look(schema: CompiledSchema, module: Path, samples: Any) -> None:
        seen[module] = module.read_bytes()
        assert samples == {"one": {"id": "x"}}
        check_module(schema, module, samples)

    monkeypatch.setattr(compiler, "check_module", look)
    write_compiled_catalog({"sender": load_source(folder)}, tmp_path, "written")
    written = {path: path.read_bytes() for path in tmp_path.glob("written/sender*.py")}
    assert seen == written
    assert written


@pytest.mark.parametrize("name", ["github", "okta", "zoom"])
def test_no_rule_of_a_built_in_source_can_be_dropped(name: str, tmp_path: Path) -> None:
    """Of each of its schemas, one rule: all of them take minutes."""
    source = built_in(name)
    for schema in {one.file: one for one in source.compiled.values()}.values():
        places = list(RAISE.finditer(schema.code))
        match = places[len(places) // 2]
        dropped = schema.code[: match.start()] + f"{match[1]}pass" + schema.code[match.end() :]
        assert is_refused(schema, tmp_path, dropped), f"{schema.file}: {match[0].strip()[:100]}"


def test_what_the_steps_said_of_a_sample_is_held_to_the_reference(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The build reads a sample's body as JSON; of a form, the steps alone know the event."""
    settings = yaml.safe_load((folder / "source.yaml").read_text())
    kind = "application/x-www-form-urlencoded"
    form: dict[str, Any] = {"content_types": [kind], "form_field": "payload"}
    form["headers"] = {"keep": ["Content-Type"]}
    (folder / "source.yaml").write_text(yaml.safe_dump({**settings, **form}))
    sample = {
        "description": "d",
        "content_type": kind,
        "body": "payload=%7B%22id%22%3A7%7D",
        "expect": {"outcome": "delivered"},
    }
    (folder / "samples" / "one.yaml").write_text(yaml.safe_dump(sample))
    monkeypatch.setattr(CompiledSource, "validator", lambda _source, _kind: lambda event: event)
    (one,) = check_folders({"sender": folder})
    assert one.actual == "delivered"
    assert "event.json: /properties/id/type: this event: the validator" in one.faults[0]
