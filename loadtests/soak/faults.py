"""The faults that a soak run injects between the pipeline and its services, and their count."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections import Counter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_SEND, _READ, _WRITE = "SendMessageBatch", "BatchGetItem", "BatchWriteItem"
_THROTTLED = "ProvisionedThroughputExceededException"
_TIMEOUT_SECONDS = 2.0


def _error(service: str, code: str, share: float, **rule: Any) -> dict[str, Any]:
    return {"service": service, "probability": share, "error": {"code": code}, **rule}


def _slow(service: str, least: int, most: int, share: float, **rule: Any) -> dict[str, Any]:
    latency = {"min": least, "max": most}
    return {"service": service, "probability": share, "latency": latency, **rule}


def _cut(service: str, share: float, **rule: Any) -> dict[str, Any]:
    """Have the service do what it was asked to, and lose its answer."""
    return {"service": service, "probability": share, "response": {"abort_bytes": 0}, **rule}


def _reset(service: str, share: float, **rule: Any) -> dict[str, Any]:
    return {"service": service, "probability": share, "reset": True, **rule}


#: By name: a rule of microburst. Late answers come after the handlers' read timeout of five
#: seconds, and what was asked for is done nevertheless.
FAULTS: Mapping[str, dict[str, Any]] = {
    "sqs_throttled": _error("sqs", "RequestThrottled", 0.4, operation=_SEND),
    "sqs_failing": _error("sqs", "InternalError", 0.4, operation=_SEND),
    "sqs_out": _error("sqs", "ServiceUnavailable", 1.0),
    "sqs_slow": _slow("sqs", 100, 1500, 0.5, operation=_SEND),
    "sqs_late": _slow("sqs", 5500, 6500, 0.1, operation=_SEND),
    "sqs_reset": _reset("sqs", 0.3),
    "sqs_answer_cut": _cut("sqs", 0.15, operation=_SEND),
    "dynamodb_throttled": _error("dynamodb", _THROTTLED, 0.4),
    "dynamodb_failing": _error("dynamodb", "InternalServerError", 0.4),
    "dynamodb_read_out": _error("dynamodb", _THROTTLED, 1.0, operation=_READ),
    "dynamodb_write_out": _error("dynamodb", _THROTTLED, 1.0, operation=_WRITE),
    "dynamodb_slow": _slow("dynamodb", 100, 1500, 0.5),
    "dynamodb_late": _slow("dynamodb", 5500, 6500, 0.1, operation=_WRITE),
    "dynamodb_answer_cut": _cut("dynamodb", 0.3),
    "s3_throttled": _error("s3", "SlowDown", 0.4),
    "s3_failing": _error("s3", "InternalError", 0.4),
    "s3_out": _error("s3", "ServiceUnavailable", 1.0),
    "s3_slow": _slow("s3", 100, 1500, 0.5),
    "s3_reset": _reset("s3", 0.3),
    "kinesis_throttled": _error("kinesis", _THROTTLED, 0.3),
    "kinesis_failing": _error("kinesis", "InternalFailure", 0.3),
    "kinesis_slow": _slow("kinesis", 100, 1500, 0.5),
    "kinesis_reset": _reset("kinesis", 0.2),
    "kinesis_answer_cut": _cut("kinesis", 0.2),
    "ssm_throttled": _error("ssm", "ThrottlingException", 0.5),
}
#: Each can make SQS take a batch of ten messages twice.
SENT_TWICE = ("sqs_late", "sqs_answer_cut")


class FaultControl:
    """Sets the proxy's rules and counts what they did, over all proxies of a run.

    A proxy that cannot be reached was killed: what it did since the last `collect` is not counted.
    """

    def __init__(self) -> None:
        self._url = ""
        self._names: dict[int, str] = {}
        self._before: Counter[str] = Counter()
        self._now: Counter[str] = Counter()

    @property
    def counts(self) -> Counter[str]:
        """How often each fault struck."""
        return self._before + self._now

    def use(self, url: str) -> None:
        """Go on with a proxy; where it is another one, the counts of the former are kept."""
        if url == self._url:
            return
        self._before += self._now
        self._now, self._names, self._url = Counter(), {}, url

    def add(self, names: Iterable[str], lasts: float) -> None:
        """Inject faults for some seconds."""
        wanted = list(names)
        rules = [{**FAULTS[name], "ttl_s": lasts} for name in wanted]
        made = self._call("PATCH", "rules", rules) or []
        self._names |= {rule["id"]: name for rule, name in zip(made, wanted, strict=False)}

    def clear(self) -> None:
        """Inject nothing any more."""
        self._call("POST", "rules", [])

    def collect(self) -> None:
        """Read what the proxy did."""
        if found := self._call("GET", "stats", None):
            by_name: Counter[str] = Counter()
            for rule in found["by_rule"]:
                by_name[self._names.get(rule["id"], "unnamed")] += rule["fired"]
            self._now = by_name

    def _call(self, method: str, what: str, document: Any) -> Any:
        data = None if document is None else json.dumps(document).encode()
        request = urllib.request.Request(  # noqa: S310 - a loopback address
            f"{self._url}/_microburst/{what}", data=data, method=method
        )
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=_TIMEOUT_SECONDS) as answer:
                return json.loads(answer.read())
        except (urllib.error.URLError, OSError):
            return None
