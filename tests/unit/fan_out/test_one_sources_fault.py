"""What one source lacks is its own: its events are set aside, and the shard goes on."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import botocore.session
import pytest

from pipeline.aws.limits import MESSAGE_ERRORS, PARAMETER_ERRORS, QUEUE_ERRORS, THROTTLING_ERRORS
from pipeline.event.compiled_source import Catalog
from pipeline.event.outcomes import Reason
from pipeline.runtime.secret_store import UNAVAILABLE_SECONDS
from tests.support.bench import Bench, generic, github, record, tally
from tests.support.fakes import client_error, out_of_reach

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

PARAMETER = "/P/github/dev/signing_secret"
QUEUE = "http://127.0.0.1/q/github"

#: Of GetParameter and Decrypt in the models of AWS: what passes by itself, and what nobody calls.
PASSES = {
    "InternalServerError",
    "KeyUnavailableException",
    "DependencyTimeoutException",
    "KMSInternalException",
}
NEVER_ASKED_FOR = {"DryRunOperationException"}
#: Of SendMessageBatch: of one message or batch, or a fault of this code.
OF_THE_CALL = {
    "TooManyEntriesInBatchRequest",
    "EmptyBatchRequest",
    "BatchEntryIdsNotDistinct",
    "InvalidBatchEntryId",
}
#: Of the account or the network, whichever parameter or queue is asked for.
SHARED = [
    client_error("ThrottlingException"),
    client_error("InternalServerError", status=500),
    client_error("ServiceUnavailable", status=503),
    client_error("AccessDeniedException", status=500),
    client_error("ExpiredTokenException"),
    client_error("UnrecognizedClientException"),
    out_of_reach(),
]


def errors_of(service: str, operation: str) -> set[str]:
    model = botocore.session.get_session().get_service_model(service)
    return {shape.name for shape in model.operation_model(operation).error_shapes}


def batch(first: int = 0) -> list[dict[str, Any]]:
    return [
        record(github({"n": 1}, event="x", delivery=f"d-{first}")),
        record(generic({"n": first})),
    ]


def test_each_error_of_a_parameter_in_the_models_of_aws_is_judged() -> None:
    named = errors_of("ssm", "GetParameter") | errors_of("kms", "Decrypt")
    assert named - PARAMETER_ERRORS == PASSES | NEVER_ASKED_FOR
    assert not PARAMETER_ERRORS & THROTTLING_ERRORS


def test_each_error_of_a_queue_in_the_models_of_aws_is_judged() -> None:
    passes = {"RequestThrottled", "KmsThrottled", "InvalidSecurity"}
    left = errors_of("sqs", "SendMessageBatch") - QUEUE_ERRORS - MESSAGE_ERRORS
    assert left == passes | OF_THE_CALL
    assert not QUEUE_ERRORS & (THROTTLING_ERRORS | MESSAGE_ERRORS)


@pytest.mark.parametrize("code", sorted(PARAMETER_ERRORS))
def test_a_secret_that_is_missing_or_forbidden_holds_up_no_other_source(
    bench: Bench, code: str
) -> None:
    bench.ssm.refusals[PARAMETER] = client_error(code, "GetParameter")
    settlement = bench.run(*batch())
    assert tally(settlement.outcomes) == {"secret_unavailable": 1, "delivered": 1}
    assert settlement.checkpoint is None
    (line,) = bench.s3.lines("rejected/source=github/")
    assert line["reason"] == "secret_unavailable"
    assert PARAMETER in line["explanation"]
    assert code in line["explanation"]
    assert line["body"] == '{"n":1}', "it can be replayed"


@pytest.mark.parametrize("value", ["", "\n \n", "whsec_no base64!"])
def test_a_malformed_secret_is_its_sources_alone(bench: Bench, value: str) -> None:
    source = replace(bench.catalog.sources["github"], signature=_base64(bench.catalog))
    bench.fan_out.catalog = Catalog({**bench.catalog.sources, "github": source})
    bench.ssm.parameters[PARAMETER] = value
    assert tally(bench.run(*batch()).outcomes) == {"secret_unavailable": 1, "delivered": 1}


def _base64(catalog: Catalog) -> Any:
    settings = catalog.sources["github"].signature
    assert settings is not None
    return replace(settings, key_encoding="base64")


@pytest.mark.parametrize("fault", SHARED, ids=str)
def test_a_fault_of_parameter_store_holds_up_and_rejects_nothing(
    bench: Bench, fault: Exception
) -> None:
    bench.ssm.refusals[PARAMETER] = fault
    settlement = bench.run(*batch())
    assert tally(settlement.outcomes) == {"unsettled": 1, "delivered": 1}
    assert settlement.checkpoint is not None


def test_a_mended_secret_is_noticed_and_what_was_set_aside_is_delivered(bench: Bench) -> None:
    value = bench.ssm.parameters.pop(PARAMETER)
    (first, _) = batch()
    assert tally(bench.run(first).outcomes) == {"secret_unavailable": 1}
    assert not bench.dynamodb.items, "what was set aside is not known as delivered"
    bench.ssm.parameters[PARAMETER] = value
    bench.now += UNAVAILABLE_SECONDS
    assert UNAVAILABLE_SECONDS < 60
    assert tally(bench.run(first).outcomes) == {"delivered": 1}


def test_forged_events_do_not_have_parameter_store_asked_for_each(bench: Bench) -> None:
    del bench.ssm.parameters[PARAMETER]
    forged = [
        record(github({"n": n}, secret="forged", event="x", delivery=f"d-{n}")) for n in range(120)
    ]
    for first in range(0, len(forged), 2):
        bench.run(*forged[first : first + 2])
        bench.now += 1
    seconds = 60 * 1.25
    assert bench.ssm.calls <= seconds / UNAVAILABLE_SECONDS + 1


def test_a_stranger_cannot_make_tickets_by_the_thousands(bench: Bench) -> None:
    """Five for each source and day; the rest is kept without a ticket."""
    del bench.ssm.parameters[PARAMETER]
    batches = [
        [record(github({"n": n}, secret="forged", event="x", delivery=f"d-{n}")) for _ in range(3)]
        for n in range(40)
    ]
    for one in batches:
        bench.run(*one)
    tickets = [key for key in bench.s3.objects if key.startswith("rejected/")]
    assert len(tickets) == 5
    kept = bench.s3.lines("rejected/") + bench.s3.lines("quarantine/")
    assert len(kept) == 120
    assert {line["reason"] for line in kept} == {"secret_unavailable"}
    before = set(bench.s3.objects)
    for one in batches:
        bench.run(*one)
    assert set(bench.s3.objects) == before, "a batch that is tried again has its place"


def test_without_a_signature_no_secret_is_asked_for_and_no_ticket_made(bench: Bench) -> None:
    del bench.ssm.parameters[PARAMETER]
    plain = github({"n": 1}, event="x").replace(b"x-hub-signature-256", b"x-hub-signature-255")
    assert tally(bench.run(record(plain)).outcomes) == {"bad_signature": 1}
    assert bench.ssm.calls == 0


@pytest.mark.parametrize("code", sorted(QUEUE_ERRORS))
def test_a_queue_that_is_gone_or_forbidden_is_its_events_alone(bench: Bench, code: str) -> None:
    bench.sqs.refusals[QUEUE] = client_error(code, "SendMessageBatch")
    calls = [*batch(), *batch(1)]
    settlement = bench.run(*calls)
    assert tally(settlement.outcomes) == {"queue_unavailable": 2, "delivered": 2}
    assert settlement.checkpoint is None
    assert bench.sqs.calls == 2, "one call a queue, and no retry"
    assert {line["reason"] for line in bench.s3.lines("rejected/")} == {"queue_unavailable"}
    assert code in bench.s3.lines("rejected/")[0]["explanation"]
    del bench.sqs.refusals[QUEUE]
    assert tally(bench.run(calls[0]).outcomes) == {"delivered": 1}


@pytest.mark.parametrize("sender_fault", [True, False])
def test_a_queues_fault_may_be_said_of_each_message(bench: Bench, sender_fault: bool) -> None:
    bench.sqs.fail_entry = lambda body: (
        ("KMS.DisabledException", sender_fault) if "github" in body else None
    )
    assert tally(bench.run(*batch()).outcomes) == {"queue_unavailable": 1, "delivered": 1}


def test_a_queue_that_the_function_was_not_told_of_is_its_events_alone(bench: Bench) -> None:
    source = replace(bench.catalog.sources["github"], queue="new")
    bench.fan_out.catalog = Catalog({**bench.catalog.sources, "github": source})
    assert tally(bench.run(*batch()).outcomes) == {"queue_unavailable": 1, "delivered": 1}


@pytest.mark.parametrize("fault", [*SHARED[:3], *SHARED[4:]], ids=str)
def test_a_fault_of_sqs_holds_up_and_rejects_nothing(bench: Bench, fault: Exception) -> None:
    bench.sqs.refusals[QUEUE] = fault
    assert tally(bench.run(*batch()).outcomes) == {"unsettled": 1, "delivered": 1}


BROKEN = {
    "absent": None,
    "no_python": "def validate(:\n",
    "without_a_validator": "",
    "raises": "raise RuntimeError('broken')\n",
    "lacks_an_import": "import there_is_no_such_module\n",
}


@pytest.mark.parametrize("name", sorted(BROKEN))
def test_a_schema_module_that_cannot_be_imported_is_its_events_alone(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    module, text = f"broken_schema_{name}", BROKEN[name]
    if text is not None:
        (tmp_path / f"{module}.py").write_text(text, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, module, raising=False)
    source = replace(bench.catalog.sources["github"], default_schema_module=module, _validators={})
    bench.fan_out.catalog = Catalog({**bench.catalog.sources, "github": source})
    settlement = bench.run(*batch(), *batch(1))
    assert tally(settlement.outcomes) == {"schema_unavailable": 2, "delivered": 2}
    assert settlement.checkpoint is None
    lines = bench.s3.lines("rejected/")
    assert {line["reason"] for line in lines} == {"schema_unavailable"}
    assert module in lines[0]["explanation"]


def test_a_broken_module_is_imported_once(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted = "broken_schema_counted"
    (tmp_path / f"{counted}.py").write_text(
        "from pathlib import Path\n"
        f"with Path({str(tmp_path / 'count')!r}).open('a') as file:\n    file.write('x')\n"
        "raise RuntimeError\n",
        encoding="utf-8",
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    source = replace(bench.catalog.sources["github"], default_schema_module=counted, _validators={})
    bench.fan_out.catalog = Catalog({**bench.catalog.sources, "github": source})
    for n in range(5):
        assert tally(bench.run(*batch(n)).outcomes)["schema_unavailable"] == 1
    assert (tmp_path / "count").read_text(encoding="utf-8") == "x"


def test_the_reasons_are_those_that_an_operator_can_replay() -> None:
    names: Sequence[Reason] = (
        Reason.SECRET_UNAVAILABLE,
        Reason.QUEUE_UNAVAILABLE,
        Reason.SCHEMA_UNAVAILABLE,
    )
    assert [str(name) for name in names] == [
        "secret_unavailable",
        "queue_unavailable",
        "schema_unavailable",
    ]
