"""Reads from the stack's outputs where everything is."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from local.endpoints import Endpoints
from local.template import TemplateError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from local.credentials import RunCredentials
    from local.template import Template


def sources(template: Template) -> dict[str, dict[str, Any]]:
    """Return what the output `Sources` says about each source.

    Raises
    ------
    TemplateError
        When the stack has no such output, or something else in it.
    """
    try:
        found = json.loads(_output(template, "Sources"))
        return {name: dict(source) for name, source in found.items()}
    except (ValueError, AttributeError, TypeError) as error:
        raise TemplateError(f"{template.stack_name}: output Sources: {error}") from None


def describe(
    template: Template,
    *,
    api: str,
    aws_endpoint_url: str,
    credentials: RunCredentials,
    secrets: Mapping[str, Mapping[str, str]],
) -> Endpoints:
    """Return the endpoints of a stack that runs here.

    Raises
    ------
    TemplateError
        When the stack lacks an output.
    """
    found = sources(template)
    return Endpoints(
        api=api,
        aws_endpoint_url=aws_endpoint_url,
        region=template.region,
        stream=_output(template, "StreamName"),
        queues={name: source["queue"] for name, source in found.items()},
        dead_letter_queue=_output(template, "DeadLetterQueueUrl"),
        archive_bucket=_output(template, "ArchiveBucketName"),
        dedupe_table=_output(template, "DedupeTableName"),
        parameters=secrets,
        credentials=credentials,
        parameter_names={
            name: str(source["parameter"])
            for name, source in found.items()
            if "parameter" in source
        },
    )


def _output(template: Template, name: str) -> str:
    outputs = template.document.get("Outputs", {})
    if name not in outputs:
        raise TemplateError(f"{template.stack_name}: the stack has no output {name}")
    return str(template.resolve(outputs[name]["Value"]))
