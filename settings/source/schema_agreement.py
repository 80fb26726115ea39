"""Sees that the module which ships for a schema judges as the schema's specification wants.

The module comes from fastjsonschema. The other side is `jsonschema`, which is measured against the
specification's own test suite; it reads the file as it is, references and identifiers included.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fastjsonschema import JsonSchemaValueException

from settings.expectations import one_line
from settings.faults import Fault
from settings.source import agreements
from settings.source.errors import SourceError
from settings.source.schema_code import run_code
from settings.source.schema_instances import SchemaInstances
from settings.source.schema_places import as_pointer
from settings.source.schema_reference import reference_for
from settings.source.schema_spoilers import spoiled

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from jsonschema.protocols import Validator

    from settings.source.schema_code import Validate
    from settings.source.schema_spoilers import Seen
    from settings.source.schemas import CompiledSchema

#: A schema with more rules than that is looked at this far, so that a build ends.
MOST_CASES = 3000
#: What is told of one schema; the rest is of the same kind.
_MOST_FAULTS = 5


@dataclass(frozen=True)
class Case:
    """An instance that both sides judge.

    Parameters
    ----------
    name : str
        What it is, for whoever reads a fault.
    pointer : str
        The rule that it should break, as a JSON Pointer; empty where it should break none.
    """

    name: str
    instance: Any
    pointer: str = ""


def check_module(schema: CompiledSchema, module: Path, samples: Mapping[str, Any]) -> None:
    """Run the module that was written for a schema, beside the reference.

    Parameters
    ----------
    module : Path
        The file that ships.
    samples : Mapping[str, Any]
        Bodies of the source's samples, by name.

    Raises
    ------
    SourceError
        With the file, the JSON Pointer and both verdicts, where the two do not agree; where the
        schema is against its own specification; where no instance that it accepts is known.
    """
    code = module.read_text(encoding="utf-8")
    asked = agreements.digest_of(
        code, str(schema.draft), json.dumps([schema.document, samples, schema.formats])
    )
    if agreements.is_known(asked):
        return
    try:
        reference = reference_for(schema)
        wrong = [*_against_specification(schema, reference)]
        wrong = wrong or [*_disagreements(schema, reference, code, samples)]
    except Exception as error:  # noqa: BLE001 - an instance of an odd schema can be anything
        wrong = [("", f"no instance can be made of it to see that it works: {error!r}")]
    if wrong:
        raise SourceError(
            *(
                Fault(str(schema.file), pointer, one_line(expected))
                for pointer, expected in dict.fromkeys(wrong[:_MOST_FAULTS])
            )
        )
    agreements.remember(asked)


def disagreement(schema: CompiledSchema, validate: Validate, event: Any) -> Fault | None:
    """Return how a validator and the reference judge an event otherwise; None where they agree."""
    reference = reference_for(schema)
    expected = _difference(validate, reference, Case("this event", event))
    if not expected:
        return None
    return Fault(str(schema.file), _place(reference, event), one_line(expected))


def _against_specification(
    schema: CompiledSchema, reference: Validator
) -> Iterator[tuple[str, str]]:
    meta = type(reference)(reference.META_SCHEMA)
    for error in meta.iter_errors(schema.document):
        yield as_pointer(tuple(map(str, error.absolute_path))), f"no valid schema: {error.message}"


def _disagreements(
    schema: CompiledSchema, reference: Validator, code: str, samples: Mapping[str, Any]
) -> Iterator[tuple[str, str]]:
    try:
        validate = run_code(code, schema.file.name)
    except Exception as error:  # noqa: BLE001 - a module that is wrong raises anything
        yield "", f"the validator that would ship does not load: {error!r}"
        return
    accepted = False
    for case in (*_sample_cases(samples), *_made_cases(schema, reference, samples)):
        difference = _difference(validate, reference, case)
        if difference:
            yield case.pointer or _place(reference, case.instance), difference
        elif not accepted:
            accepted = _judged(validate, case.instance) is None
    if not accepted:
        yield "", "no event is known that it accepts; add a sample of its type that is delivered"


def _sample_cases(samples: Mapping[str, Any]) -> Iterator[Case]:
    return (Case(f"sample {name}", body) for name, body in samples.items())


def _made_cases(
    schema: CompiledSchema, reference: Validator, samples: Mapping[str, Any]
) -> Iterator[Case]:
    made = SchemaInstances(schema.places)
    spoilt: dict[tuple[str, str], Case] = {}
    seen: Seen = set()
    instances = list(made.instances())
    yield from (Case(f"made instance {pick}", one) for pick, one in enumerate(instances))
    for number, instance in enumerate([*instances, *samples.values()]):
        if not reference.is_valid(instance):
            continue
        pick = number - 1 if 0 < number < len(instances) else 0
        for pointer, wrong in spoiled(made, instance, seen, pick):
            if len(spoilt) == MOST_CASES:
                break
            text = as_pointer(pointer)
            key = (text, json.dumps(wrong))
            spoilt.setdefault(key, Case("an instance that should break this rule", wrong, text))
    yield from spoilt.values()


def _difference(validate: Validate, reference: Validator, case: Case) -> str:
    try:
        refusal = _judged(validate, case.instance)
    except Exception as error:  # noqa: BLE001 - what raises anything else is a fault of the module
        return f"{case.name}: the validator that would ship ends with {error!r}"
    refused = refusal is not None
    try:
        wanted = not reference.is_valid(case.instance)
    except Exception as error:  # noqa: BLE001 - as above
        return f"{case.name}: the reference library (jsonschema) ends with {error!r}"
    if refused == wanted or (refusal and refusal.rule == "format" and not case.pointer):
        return ""
    said = f" ({refusal.message})" if refusal else ""
    verdicts = ("refuses", "accepts") if refused else ("accepts", "refuses")
    event = json.dumps(case.instance)
    return (
        f"{case.name}: the validator that would ship {verdicts[0]} it{said}, the reference library"
        f" (jsonschema) {verdicts[1]} it: {event[:200]}{'…' * (len(event) > 200)}"
    )


def _judged(validate: Validate, instance: Any) -> JsonSchemaValueException | None:
    try:
        validate(instance)
    except JsonSchemaValueException as error:
        return error
    return None


def _place(reference: Validator, instance: Any) -> str:
    try:
        error = next(iter(reference.iter_errors(instance)), None)
    except Exception:  # noqa: BLE001 - the verdict says what it raised
        return ""
    return as_pointer(tuple(map(str, error.absolute_schema_path))) if error else ""
