"""A warning ends a synthesis, wherever it comes from, unless it is accepted with its reason."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from aws_cdk import Annotations, CloudFormationValidatePlugin, Stack, Validations
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_sqs as sqs

from infra.application.checks import UnreasonedError, acknowledge, acknowledge_warnings
from infra.assembly import app as assembly
from infra.assembly.findings import REPORT, FindingsError, check

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def _of_a_queue(stack: Stack) -> None:
    queue = sqs.Queue(stack, "Queue", enforce_ssl=True, dead_letter_queue=_dead_letters(stack))
    Annotations.of(queue).add_warning_v2("@mozdef/odd", "a queue that is odd")


def _dead_letters(stack: Stack) -> sqs.DeadLetterQueue:
    return sqs.DeadLetterQueue(
        queue=sqs.Queue(stack, "Dead", enforce_ssl=True), max_receive_count=1
    )


def _of_the_stack(stack: Stack) -> None:
    Validations.of(stack).add_warning("odd", "a stack that is odd")


def _of_the_app(stack: Stack) -> None:
    Annotations.of(stack.node.root).add_warning("an app that is odd")


def _of_an_old_way(stack: Stack) -> None:
    Annotations.of(stack).add_deprecation("module.Class", "use another")


def _of_nag(stack: Stack) -> None:
    """AwsSolutions-DDB3 is a warning of cdk-nag's, and no error."""
    dynamodb.Table(
        stack,
        "Table",
        partition_key=dynamodb.Attribute(name="pk", type=dynamodb.AttributeType.STRING),
    )


WARNINGS: dict[str, Callable[[Stack], None]] = {
    "S/Queue: warning Annotation::@mozdef/odd: a queue that is odd": _of_a_queue,
    "S: warning Annotation::odd: a stack that is odd": _of_the_stack,
    "the app: warning Annotation::warning-annotation: an app that is odd": _of_the_app,
    "S: warning Annotation::Deprecated:module.Class: The API module.Class": _of_an_old_way,
}


def _synthesize(folder: Path, fill: Callable[[Stack], object]) -> None:
    app = assembly._new_app(folder)
    fill(Stack(app, "S"))
    assembly._write(app, "S")


@pytest.mark.parametrize("said", WARNINGS)
def test_a_warning_ends_the_synthesis(said: str, tmp_path: Path) -> None:
    with pytest.raises(FindingsError) as raised:
        _synthesize(tmp_path, WARNINGS[said])
    (line,) = raised.value.lines
    assert line.startswith(said)


def test_a_rule_of_the_cdk_ends_the_synthesis(tmp_path: Path) -> None:
    """By default the CDK only warns of these; the tests of `mozdef-ef cdk` run all of them."""

    def fill(stack: Stack) -> None:
        # Asked for, since the environment of the tests leaves out the one that is always there.
        Validations.of(stack.node.root).add_plugins(CloudFormationValidatePlugin())
        cloudwatch.CfnCompositeAlarm(stack, "Any", alarm_rule='ALARM("one") OR ' * 700)

    with pytest.raises(assembly.SynthesisError, match="length 11200 exceeds maximum 10240"):
        _synthesize(tmp_path, fill)


def test_what_is_accepted_has_a_reason(tmp_path: Path) -> None:
    def accept(stack: Stack, reason: str) -> None:
        _of_nag(stack)
        _of_the_stack(stack)
        acknowledge(stack, {"DDB3": reason})
        acknowledge_warnings(stack, {"Annotation::odd": reason})

    with pytest.raises(assembly.SynthesisError, match=r"WARNING .* Point-in-time Recovery"):
        _synthesize(tmp_path / "not", _of_nag)
    _synthesize(tmp_path / "with", lambda stack: accept(stack, "It can be made again."))
    with pytest.raises(UnreasonedError, match="S: say why AwsSolutions-DDB3 is accepted"):
        _synthesize(tmp_path / "without", lambda stack: accept(stack, " "))


def test_nothing_is_accepted_but_by_the_functions_that_want_a_reason() -> None:
    ways = ("Acknowledgment(", "acknowledge_warning(", "NagSuppressions", ".suppress")
    files = [path for path in (assembly.ROOT / "infra").rglob("*.py") if path.name != "checks.py"]
    assert len(files) > 40
    assert not [path for path in files if any(way in path.read_text() for way in ways)]


def test_a_synthesis_that_nobody_checked_is_none(tmp_path: Path) -> None:
    with pytest.raises(FindingsError, match="nothing was checked"):
        check(tmp_path)


def test_a_plugin_that_fails_is_no_plugin_that_passes(tmp_path: Path) -> None:
    report = {
        "pluginReports": [
            {
                "pluginName": "cdk-nag",
                "conclusion": "failure",
                "violations": [],
                "metadata": {"error": "it fell over"},
            }
        ]
    }
    (tmp_path / REPORT).write_text(json.dumps(report))
    with pytest.raises(FindingsError, match="cdk-nag: it fell over"):
        check(tmp_path)
