"""The laptop runtime reads the outputs that the stack writes."""

from __future__ import annotations

import json

import pytest

from local.credentials import RunCredentials
from local.outputs import describe
from local.template import Template, TemplateError
from settings.stack_outputs import StackOutput

SOURCES = {
    "github": {"queue": "https://queue", "parameter": "/P/github/dev/signing_secret"},
    "by-address": {"queue": "https://queue"},
}
READ = (
    StackOutput.STREAM_NAME,
    StackOutput.DEAD_LETTER_QUEUE_URL,
    StackOutput.ARCHIVE_BUCKET_NAME,
    StackOutput.DEDUPE_TABLE_NAME,
    StackOutput.SOURCES,
)

CREDENTIALS = RunCredentials("id", "secret")


def template(*left_out: StackOutput) -> Template:
    values = {name.value: f"value of {name.value}" for name in StackOutput}
    values[StackOutput.SOURCES.value] = json.dumps(SOURCES)
    outputs = {name: {"Value": each} for name, each in values.items() if name not in left_out}
    return Template({"Resources": {}, "Outputs": outputs}, "Stack", "us-west-2")


def test_each_name_is_one_that_the_stack_writes() -> None:
    """`local` imports nothing of the product, so it spells the names itself."""
    found = describe(
        template(), api="http://a", aws_endpoint_url="http://b", credentials=CREDENTIALS, secrets={}
    )
    assert found.stream == "value of StreamName"
    assert found.dead_letter_queue == "value of DeadLetterQueueUrl"
    assert found.archive_bucket == "value of ArchiveBucketName"
    assert found.dedupe_table == "value of DedupeTableName"
    assert found.queues == dict.fromkeys(SOURCES, "https://queue")
    assert found.parameter_names == {"github": "/P/github/dev/signing_secret"}


@pytest.mark.parametrize("name", READ)
def test_an_output_that_the_stack_lacks_is_named(name: StackOutput) -> None:
    with pytest.raises(TemplateError, match=f"Stack: the stack has no output {name.value}"):
        describe(
            template(name),
            api="http://a",
            aws_endpoint_url="http://b",
            credentials=CREDENTIALS,
            secrets={},
        )
