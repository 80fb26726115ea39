"""Who writes a schema that the build makes Python of, and the functions run."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import yaml

from loadtests.attack.folders import SAMPLE, make_folder, read_apart
from loadtests.attack.verdicts import refuse_if

if TYPE_CHECKING:
    from collections.abc import Iterator

    from loadtests.attack.pipeline import AttackedPipeline

_ENDS = ('"', "'", '"' * 3, "'" * 3, "\\", "\n", "\r", "\u2028", "}", "{", ")", '")', "']", '"]')


def code_in_schemas(arena: AttackedPipeline) -> str:
    """Write Python into each part of a schema."""
    root, canary = arena.scratch / "schemas", arena.scratch / "canary"
    call = f"__import__('pathlib').Path({str(canary)!r}).touch()"
    for number, text in enumerate(_texts(call)):
        # What the validator passes over in silence is refused at load, so each part has its turn.
        for part, schema in enumerate(_schemas(text)):
            made = make_folder(root, f"s{number}-{part}")
            (made / "schemas" / "any.json").write_text(json.dumps(schema))
            body = json.dumps({text: "abcd", "a": text, "b": text})
            (made / "samples" / "one.yaml").write_text(yaml.safe_dump({**SAMPLE, "body": body}))
    found = read_apart("schemas", root)
    refuse_if(canary.exists(), "a schema's text was run")
    ran = [said for said in found.values() if said and said.startswith("ran")]
    refuse_if(not ran, f"no schema was compiled: {next(iter(found.values()), '')}")
    return f"{len(found)} schemas with code, {len(ran)} compiled and run: it stays text"


def _texts(call: str) -> Iterator[str]:
    for end in _ENDS:
        yield f"{end}\n{call}\n#{end}"
        yield f"{end}+str({call})+{end}"
    yield from (f"{{{call}}}", f"%({call})s", f"${{{call}}}", f"'); {call}; ('")


def _schemas(text: str) -> Iterator[dict[str, object]]:
    yield {"title": text, "description": text, "properties": {text: {"type": "string"}}}
    yield {"required": [text], "properties": {text: {"maxLength": 3}}}
    yield {"properties": {"a": {"enum": [text, "a"]}, "b": {"enum": [text, 1]}}}
    yield {"patternProperties": {re.escape(text): {"maxLength": 3}}}
    yield {"properties": {"a": {"pattern": f"^{re.escape(text)}$"}}}
    yield {
        "definitions": {"x": {"not": {"enum": [text]}}},
        "properties": {"a": {"$ref": "#/definitions/x"}},
    }
    yield {"definitions": {text: {"type": "string"}}, "type": "object"}
