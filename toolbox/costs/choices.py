"""What of a stage's settings changes its bill, and what each cheaper choice trades."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

Mode = Literal["on_demand", "provisioned"]
#: The last two are designs for comparison, and no settings.
Door = Literal["rest_api", "http_api", "function_url", "load_balancer"]
Way = Literal["direct", "receiver", "poll"]


@dataclass(frozen=True)
class StageChoices:
    """The settings of a stage that the arithmetic knows, with the defaults of a stage.

    Parameters
    ----------
    door : Door
        What senders post to.
    way : Way
        How all events come in; behind any other door than a REST API, the receiver takes them.
    web_acl : bool
        Before a REST API alone; by default it is there where a signed source is `direct`.
    system_log : bool
        Whether Lambda's lines of each call of the receiver are kept.
    cold_after_days : int | None
        When `raw/` moves to Glacier Instant Retrieval.
    """

    door: Door = "rest_api"
    way: Way = "direct"
    web_acl: bool = True
    stream: Mode = "on_demand"
    table: Mode = "on_demand"
    access_log: Literal["short", "full"] = "short"
    system_log: bool = True
    enhanced_fan_out: bool = False
    fan_out_window: int = 1
    archiver_window: int = 60
    cold_after_days: int | None = 90

    @property
    def receives(self) -> bool:
        """Whether a function takes each request."""
        return self.way == "receiver" or (self.way == "direct" and self.door != "rest_api")

    @property
    def guarded(self) -> bool:
        """Whether requests pass a web ACL: that of a receiver alone has nothing to do."""
        return self.web_acl and self.door == "rest_api" and self.way == "direct"


@dataclass(frozen=True)
class Lever:
    """A setting of a stage that may lower the bill.

    Parameters
    ----------
    key : str
        In `config/<stage>.yaml`, with dots.
    field : str
        In `StageChoices`.
    values : tuple[Any, ...]
        The default first.
    trade : str
        What is given up for any other value than the default.
    """

    key: str
    field: str
    values: tuple[Any, ...]
    trade: str

    @property
    def default(self) -> Any:
        """The value of a stage that does not name the key."""
        return self.values[0]


LEVERS = (
    Lever(
        "door",
        "door",
        ("rest_api", "http_api"),
        "the receiver takes every source's requests. No web ACL, no traces of requests, no "
        "Retry-After on a 429; a body that says it is text and is no UTF-8 may be refused; the "
        "laptop serves none (docs/handshakes.md)",
    ),
    Lever(
        "web_acl",
        "web_acl",
        (True, False),
        "one address, or one delivery id, can fill a shard with forgeries, and other events are "
        "answered 503 (docs/architecture.md, A flood of forgeries)",
    ),
    Lever(
        "stream.mode",
        "stream",
        ("on_demand", "provisioned"),
        "it does not grow by itself: what is beyond its shards is answered 503, which some senders "
        "never send again. Half as many shards again as the average needs are counted",
    ),
    Lever(
        "table.mode",
        "table",
        ("on_demand", "provisioned"),
        "a burst beyond the capacity waits for the scaling, some minutes; no event is lost. If the "
        "function's process ends meanwhile, what was sent and not written down is sent twice",
    ),
    Lever(
        "receiver.system_log",
        "system_log",
        (True, False),
        "time and memory of single calls of the receiver are in no log; the metrics have them of "
        "all calls",
    ),
    Lever(
        "fan_out.batching_window_seconds",
        "fan_out_window",
        (1, 5),
        "events reach MozDef up to four seconds later",
    ),
    Lever(
        "archiver.batching_window_seconds",
        "archiver_window",
        (60, 300),
        "the archive is up to five minutes behind, in audits and replays too",
    ),
    Lever(
        "archive.cold_after_days",
        "cold_after_days",
        (90, None),
        "nothing: the move itself is billed for each object, and then each read of it by size",
    ),
)


def nested(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings by their keys with dots as `config/<stage>.yaml` has them."""
    document: dict[str, Any] = {}
    for key, value in settings.items():
        *folders, last = key.split(".")
        place = document
        for name in folders:
            place = place.setdefault(name, {})
        place[last] = value
    return document
