"""The replay's workflow in the Amazon States Language: one worker for each few objects."""

from __future__ import annotations

from typing import Any

from pipeline.archive.keys import (
    FAILED_PREFIX,
    QUARANTINE_PREFIX,
    RAW_PREFIX,
    REJECTED_PREFIX,
    REPLAYS_PREFIX,
)

REPLAYABLE = (RAW_PREFIX, REJECTED_PREFIX, QUARANTINE_PREFIX, FAILED_PREFIX)
INTEGRATIONS = {"Invoke": "lambda:invoke", "List": "s3:listObjectsV2", "Write": "s3:putObject"}
"""What the workflow calls; the partition before it is known only when it is deployed."""

MAP_LABEL = "Objects"
MOST_WORKERS = 100
OBJECTS_OF_A_WORKER = 5
"""Few, so that a worker ends within its time even where objects are large and the rate is low."""

DEFAULTS: dict[str, Any] = {
    "filter": {},
    "rate": 200,
    "limit": 3,
    "force": False,
    "concurrency": 4,
}
"""What an execution's input may leave out; `job` and `prefix` it must say."""

EXPECTED = (
    f"expected 'job', 'prefix' under one of {', '.join(REPLAYABLE)}, numbers for 'rate' and "
    f"'limit', true or false for 'force', 'concurrency' of 1 to {MOST_WORKERS}"
)

_RETRY_OF_LAMBDA = {
    "ErrorEquals": [
        "Lambda.TooManyRequestsException",
        "Lambda.ServiceException",
        "Lambda.AWSLambdaException",
        "Lambda.SdkClientException",
        "Lambda.ClientExecutionTimeoutException",
    ],
    "IntervalSeconds": 2,
    "MaxAttempts": 8,
    "BackoffRate": 2,
    "MaxDelaySeconds": 60,
    "JitterStrategy": "FULL",
}
"""AWS Step Functions Developer Guide, error handling: Lambda's own faults, not the worker's."""

_RETRY_OF_WORKER = {
    "ErrorEquals": ["StreamUnreachableError", "ArchiveReadError"],
    "IntervalSeconds": 30,
    "MaxAttempts": 3,
    "BackoffRate": 2,
    "JitterStrategy": "FULL",
}
"""What the worker raises when its own retries were not enough. What it sent is sent again then,
and is dropped as a duplicate unless the job is forced."""


def replay_definition(timeout_seconds: int) -> dict[str, Any]:
    """Return the workflow, with `${Bucket}`, `${Worker}` and the integrations to be substituted."""
    states = {
        "Defaults": {"Type": "Pass", "Result": DEFAULTS, "ResultPath": "$.x", "Next": "Input"},
        # What the input says wins. The execution's own input, without the defaults in it.
        "Input": {
            "Type": "Pass",
            "Parameters": {"x.$": "States.JsonMerge($.x, $$.Execution.Input, false)"},
            "OutputPath": "$.x",
            "Next": "Check",
        },
        "Check": {
            "Type": "Choice",
            "Choices": [{"And": _conditions(), "Next": "Replay"}],
            "Default": "WrongInput",
        },
        "WrongInput": {"Type": "Fail", "Error": "WrongInput", "Cause": EXPECTED},
        "Replay": _map(timeout_seconds),
        "Done": {
            "Type": "Pass",
            "Parameters": {"job.$": "$.job", "replayed.$": "$.replayed"},
            "End": True,
        },
    }
    return {
        "Comment": "Puts archived events back on the stream",
        "StartAt": "Defaults",
        "States": states,
    }


def _conditions() -> list[dict[str, Any]]:
    """Return what must hold of an input. A concurrency of 0 would mean: without limit."""
    prefixes = [{"Variable": "$.prefix", "StringMatches": f"{prefix}*"} for prefix in REPLAYABLE]
    return [
        *({"Variable": f"$.{name}", "IsPresent": True} for name in ("job", "prefix")),
        *({"Variable": f"$.{name}", "IsString": True} for name in ("job", "prefix")),
        {"Or": prefixes},
        *({"Variable": f"$.{name}", "IsNumeric": True} for name in ("rate", "limit")),
        {"Variable": "$.rate", "NumericGreaterThan": 0},
        {"Variable": "$.force", "IsBoolean": True},
        {"Variable": "$.concurrency", "IsNumeric": True},
        {"Variable": "$.concurrency", "NumericGreaterThanEquals": 1},
        {"Variable": "$.concurrency", "NumericLessThanEquals": MOST_WORKERS},
    ]


def _map(timeout_seconds: int) -> dict[str, Any]:
    batch_input = {f"{name}.$": f"$.{name}" for name in ("job", "filter", "rate", "limit", "force")}
    return {
        "Type": "Map",
        "Label": MAP_LABEL,
        "ItemReader": {
            "Resource": "${List}",
            "Parameters": {"Bucket": "${Bucket}", "Prefix.$": "$.prefix"},
        },
        "ItemSelector": {
            "Key.$": "$$.Map.Item.Value.Key",
            "Size.$": "$$.Map.Item.Value.Size",
        },
        "ItemBatcher": {"MaxItemsPerBatch": OBJECTS_OF_A_WORKER, "BatchInput": batch_input},
        "MaxConcurrencyPath": "$.concurrency",
        "ToleratedFailurePercentage": 0,
        "ItemProcessor": _worker(timeout_seconds),
        "ResultWriter": {
            "Resource": "${Write}",
            "Parameters": {
                "Bucket": "${Bucket}",
                "Prefix.$": f"States.Format('{REPLAYS_PREFIX}{{}}', $.job)",
            },
        },
        "ResultPath": "$.replayed",
        "Next": "Done",
    }


def _worker(timeout_seconds: int) -> dict[str, Any]:
    """Return the child workflow. Standard, because an express one ends after five minutes."""
    return {
        "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
        "StartAt": "Work",
        "States": {
            "Work": {
                "Type": "Task",
                "Resource": "${Invoke}",
                "Parameters": {"FunctionName": "${Worker}", "Payload.$": "$"},
                "OutputPath": "$.Payload",
                "TimeoutSeconds": timeout_seconds,
                "Retry": [_RETRY_OF_LAMBDA, _RETRY_OF_WORKER],
                "End": True,
            }
        },
    }
