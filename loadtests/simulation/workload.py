"""What is sent, what fails meanwhile, and what was measured of the stack's functions."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from collections.abc import Mapping

MEASURED = Path(__file__).parent / "measured.yaml"
#: What may be away. Without SSM, the secrets that a function knows go on for a while.
SERVICES = ("kinesis", "lambda", "dynamodb", "sqs", "s3", "ssm")


@dataclass(frozen=True)
class Outage:
    """A service that answers nothing from a second on, until another one."""

    service: str
    start: float
    end: float


@dataclass(frozen=True)
class Burst:
    """A rate of its own from a second on, until another one."""

    rate: float
    start: float
    end: float


@dataclass(frozen=True)
class Demand:
    """What senders send.

    Parameters
    ----------
    rate : float
        Events a second, but for the bursts.
    hot_share : float
        The share of all events that have one partition key.
    """

    rate: float
    bursts: tuple[Burst, ...] = ()
    hot_share: float = 0.0

    def at(self, second: float) -> float:
        """Return the events a second."""
        for burst in self.bursts:
            if burst.start <= second < burst.end:
                return burst.rate
        return self.rate


@dataclass(frozen=True)
class ServiceTime:
    """What an invocation takes and uses; the names are those of `measured.yaml`."""

    ms_per_batch: float
    us_per_event: float
    sent_after: float
    writes_per_event: float
    reads_per_event: float

    def seconds(self, events: float, vcpu: float) -> float:
        """Return how long an invocation takes where every service answers as usual.

        Parameters
        ----------
        vcpu : float
            The share of a vCPU that the function has.
        """
        return self.ms_per_batch / 1e3 + events * self.us_per_event / 1e6 / min(vcpu, 1.0)


@dataclass(frozen=True)
class MeasuredTimes:
    """The data file."""

    times: Mapping[str, ServiceTime]
    record_bytes: float
    mozdef_holds_seconds: float
    reserve_seconds: float
    secret_seconds: float


@cache
def read_measured(file: Path = MEASURED) -> MeasuredTimes:
    """Read a data file of measurements."""
    given: dict[str, Any] = yaml.safe_load(file.read_text(encoding="utf-8"))
    return MeasuredTimes(
        times={name: ServiceTime(**given[name]) for name in ("fan_out", "archiver")},
        record_bytes=float(given["record_bytes"]),
        mozdef_holds_seconds=float(given["mozdef_holds_seconds"]),
        reserve_seconds=float(given["reserve_seconds"]),
        secret_seconds=float(given["secret_seconds"]),
    )
