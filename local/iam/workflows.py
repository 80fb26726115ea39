"""What Step Functions calls with a state machine's role, by the machine's definition.

The pages are those of the AWS Step Functions Developer Guide. What a definition does beyond what is
known here is refused, and not passed over.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from local.iam.calls import IamCall
from local.iam.policies import PolicyUnknownError, arn_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from local.template import Resource, Template

#: "Using CloudWatch Logs to log execution history".
_LOG_DELIVERY = (
    *("CreateLogDelivery", "DeleteLogDelivery", "DescribeLogGroups", "DescribeResourcePolicies"),
    *("GetLogDelivery", "ListLogDeliveries", "PutResourcePolicy", "UpdateLogDelivery"),
)
#: "Trace Step Functions request data in AWS X-Ray".
_TRACES = (*("GetSamplingRules", "GetSamplingTargets", "PutTelemetryRecords", "PutTraceSegments"),)
#: "IAM policies for using Distributed Map states", an S3 bucket for a ResultWriter.
_RESULTS = ("AbortMultipartUpload", "GetObject", "ListMultipartUploadParts", "PutObject")
_INVOKE = re.compile(r"arn:aws:states:::lambda:invoke(\.waitForTaskToken)?")
_FUNCTION = re.compile(r"arn:aws:lambda:[^:]+:\d+:function:.+")
_FORMAT = re.compile(r"States\.Format\('([^']*)'")
_SUBSTITUTED = re.compile(r"\$\{(\w+)\}")
_CALL_NOTHING = {"Choice", "Fail", "Parallel", "Pass", "Succeed", "Wait"}


def workflow_calls(template: Template) -> Iterator[IamCall]:
    """Return what Step Functions calls in the name of each state machine of a template.

    Raises
    ------
    PolicyUnknownError
        For a state whose calls are not known here.
    """
    for machine in template.resources("AWS::StepFunctions::StateMachine"):
        why = f"the workflow {machine.logical_id}"
        role = template.resolve(machine.properties["RoleArn"])
        definition = _definition(template, machine)
        called = [
            *_watching(machine),
            *(
                call
                for state, prefixes in _states(definition)
                for call in _state(state, prefixes, machine, arn_of(template, machine.logical_id))
            ),
        ]
        for action, resource, context in called:
            yield IamCall.make(role, action, resource, context, why)


def _definition(template: Template, machine: Resource) -> dict[str, Any]:
    given = template.resolve(dict(machine.properties))
    values: Mapping[str, str] = given.get("DefinitionSubstitutions", {})
    text = _SUBSTITUTED.sub(lambda found: str(values[found[1]]), given["DefinitionString"])
    found: dict[str, Any] = json.loads(text)
    return found


def _watching(machine: Resource) -> Iterator[tuple[str, str, dict[str, str]]]:
    if machine.properties.get("LoggingConfiguration", {}).get("Level", "OFF") != "OFF":
        yield from ((f"logs:{name}", "*", {}) for name in _LOG_DELIVERY)
    if machine.properties.get("TracingConfiguration", {}).get("Enabled"):
        yield from ((f"xray:{name}", "*", {}) for name in _TRACES)


def _states(flow: Mapping[str, Any]) -> Iterator[tuple[dict[str, Any], dict[str, list[str]]]]:
    """Return the states of a flow and of those inside, with what its choices let a path be."""
    states: dict[str, dict[str, Any]] = flow["States"]
    allowed: dict[str, list[str]] = {}
    for condition in _conditions([state.get("Choices", []) for state in states.values()]):
        allowed.setdefault(condition["Variable"], []).append(condition["StringMatches"])
    for state in states.values():
        yield state, allowed
        for inside in (state.get("ItemProcessor"), *state.get("Branches", ())):
            if inside:
                yield from _states(inside)


def _conditions(node: Any) -> Iterator[dict[str, Any]]:
    if isinstance(node, list):
        for each in node:
            yield from _conditions(each)
    elif isinstance(node, dict):
        if "StringMatches" in node:
            yield node
        for each in node.values():
            yield from _conditions(each)


def _state(
    state: Mapping[str, Any], allowed: Mapping[str, list[str]], machine: Resource, arn: str
) -> Iterator[tuple[str, str, dict[str, str]]]:
    resource = state.get("Resource", "")
    if state["Type"] == "Map":
        yield from _map(state, allowed, machine, arn)
    elif state["Type"] == "Task" and _INVOKE.fullmatch(resource):
        yield "lambda:InvokeFunction", str(state["Parameters"]["FunctionName"]), {}
    elif state["Type"] == "Task" and _FUNCTION.fullmatch(resource):
        yield "lambda:InvokeFunction", resource, {}
    elif state["Type"] not in _CALL_NOTHING:
        raise _unknown(machine, resource or state["Type"])


def _map(
    state: Mapping[str, Any], allowed: Mapping[str, list[str]], machine: Resource, arn: str
) -> Iterator[tuple[str, str, dict[str, str]]]:
    """Return what a map calls: each of its child workflows is an execution of the machine itself.

    "IAM policies for using Distributed Map states" names the machine's executions for Describe and
    Stop, and those of the label for Redrive alone. The ARN of a child workflow's execution has the
    label ("Map Run"), so both are looked for.
    """
    if state["ItemProcessor"].get("ProcessorConfig", {}).get("Mode") != "DISTRIBUTED":
        return
    yield "states:StartExecution", arn, {}
    executions = arn.replace(":stateMachine:", ":execution:")
    for where in (executions, f"{executions}/{state['Label']}"):
        for name in ("DescribeExecution", "StopExecution"):
            yield f"states:{name}", f"{where}:one", {}
    yield "states:RedriveExecution", f"{executions}/{state['Label']}:one", {}
    if reader := state.get("ItemReader"):
        yield from _reader(reader, allowed, machine)
    if writer := state.get("ResultWriter"):
        prefix = _texts(writer["Parameters"], "Prefix", allowed, machine)[0].rstrip("/")
        bucket = f"arn:aws:s3:::{writer['Parameters']['Bucket']}"
        for name in _RESULTS:
            yield f"s3:{name}", f"{bucket}/{prefix}/one/manifest.json", {}


def _reader(
    reader: Mapping[str, Any], allowed: Mapping[str, list[str]], machine: Resource
) -> Iterator[tuple[str, str, dict[str, str]]]:
    given = reader["Parameters"]
    bucket = f"arn:aws:s3:::{given['Bucket']}"
    match reader["Resource"]:
        case "arn:aws:states:::s3:listObjectsV2":
            for prefix in _texts(given, "Prefix", allowed, machine):
                yield "s3:ListBucket", bucket, {"s3:prefix": prefix}
        case "arn:aws:states:::s3:getObject":
            for key in _texts(given, "Key", allowed, machine):
                yield "s3:GetObject", f"{bucket}/{key}", {}
        case other:
            raise _unknown(machine, other)


def _texts(
    given: Mapping[str, Any], name: str, allowed: Mapping[str, list[str]], machine: Resource
) -> list[str]:
    """Return a value, or an example of each kind that an execution may give it."""
    if name in given:
        return [str(given[name])]
    path = str(given.get(f"{name}.$", ""))
    if found := _FORMAT.match(path):
        return [found[1].replace("{}", "one")]
    if path not in allowed:
        raise _unknown(machine, f"{name}: {path}")
    return [pattern.replace("*", "one/") for pattern in allowed[path]]


def _unknown(machine: Resource, what: str) -> PolicyUnknownError:
    return PolicyUnknownError(f"{machine.logical_id}: {what}: its calls are not known here")
