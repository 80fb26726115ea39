"""A poller on fakes and a real HTTP connection; time passes only when a test says so."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pipeline.archive.writer import ArchiveWriter
from pipeline.aws.limits import RECORD_BYTES
from pipeline.event.compiled_source import Catalog
from pipeline.event.envelope import encode_envelope
from pipeline.polling.checkpoints import Checkpoints
from pipeline.polling.poller import RESERVE_SECONDS, Poller, Services
from pipeline.polling.targets import Target
from pipeline.runtime.deadline import Deadline
from pipeline.runtime.secret_store import SecretStore
from tests.support.bench import Bench as FanOutBench
from tests.support.bench import record
from tests.support.fakes import FakeS3, FakeSsm, Faulty, client_error
from tests.support.replay import FakeKinesis, Killed

if TYPE_CHECKING:
    from pipeline.event.compiled_poll import FeedSettings, PollSettings
    from pipeline.polling.report import Report

START = 1_795_464_500.0
SECONDS = 120.0


class FakeCheckpoints(Faulty):
    """UpdateItem with the expressions that the checkpoints use."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: dict[str, dict[str, Any]] = {}

    def update_item(self, **request: Any) -> dict[str, Any]:
        self._call()
        row = self.rows.get(request["Key"]["pk"]["S"], {})
        names, values = request["ExpressionAttributeNames"], request["ExpressionAttributeValues"]

        def holds(term: str) -> bool:
            if term.startswith("attribute_not_exists("):
                return names[term.partition("(")[2].rstrip(")")] not in row
            name, sign, value = term.split()
            if names[name] not in row:
                return False
            mine, other = row[names[name]], values[value]
            return int(mine["N"]) < int(other["N"]) if sign == "<" else bool(mine == other)

        if not any(map(holds, request["ConditionExpression"].split(" OR "))):
            raise client_error("ConditionalCheckFailedException", "UpdateItem")
        changes, _, removed = request["UpdateExpression"].partition(" REMOVE ")
        row = dict(row)
        for change in (
            changes.removeprefix("SET ").replace("#position, ", "#position; ").split(", ")
        ):
            name, _, value = change.partition(" = ")
            if value.startswith("if_not_exists("):
                row.setdefault(names[name], values[value.rpartition("; ")[2].rstrip(")")])
            else:
                row[names[name]] = values[value]
        for name in removed.split(", ") if removed else []:
            row.pop(names[name], None)
        self.rows[request["Key"]["pk"]["S"]] = row
        return {"Attributes": dict(row)}


class Mortal:
    """Counts the calls of every service, and ends the process at one of them.

    Odd points are before a call takes effect, even ones after it.
    """

    def __init__(self) -> None:
        self.point = 0
        self.kill_at: int | None = None
        self.dead = False

    def reach(self) -> None:
        self.point += 1
        if self.dead or self.point == self.kill_at:
            self.dead = True
            raise Killed

    def watch(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def watched(*arguments: Any, **options: Any) -> Any:
            self.reach()
            result = call(*arguments, **options)
            self.reach()
            return result

        return watched


class Proxy:
    """A service whose calls are watched."""

    def __init__(self, service: Any, mortal: Mortal) -> None:
        self._service, self._mortal = service, mortal

    def __getattr__(self, name: str) -> Any:
        return self._mortal.watch(getattr(self._service, name))


class PollBench:
    def __init__(
        self,
        catalog: Catalog,
        source: str,
        player: Any,
        credential: str | None = None,
        *,
        poll: Callable[[PollSettings], PollSettings] = lambda settings: settings,
        **target: Any,
    ) -> None:
        compiled = catalog.sources[source]
        assert compiled.poll is not None
        self.source = source
        self.catalog = Catalog(
            {**catalog.sources, source: replace(compiled, poll=poll(compiled.poll))}
        )
        self.now = START
        self.slept: list[float] = []
        self.table, self.kinesis, self.s3 = FakeCheckpoints(), FakeKinesis(), FakeS3()
        self.parameter = f"/P/{source}/dev/api_credential"
        self.ssm = FakeSsm({self.parameter: credential or player.token})
        self.target = Target(player.base_url, **target)
        self.mortal = Mortal()
        self.largest_record = RECORD_BYTES
        self.poller = self.new_process()

    def new_process(self, ahead: float = 0.0) -> Poller:
        """A poller that remembers nothing of earlier invocations, so many seconds later."""
        self.mortal = Mortal()

        def clock() -> float:
            return self.now + ahead

        dynamodb, kinesis, s3 = (
            Proxy(service, self.mortal) for service in (self.table, self.kinesis, self.s3)
        )
        self.poller = Poller(
            Services(
                catalog=self.catalog,
                targets={self.source: self.target},
                secrets=SecretStore(self.ssm, "P", "dev", clock),
                checkpoints=Checkpoints(dynamodb, "checkpoints", clock),
                kinesis=kinesis,
                stream="stream",
                largest_record=self.largest_record,
                archive=ArchiveWriter(s3, "archive"),
                clock=clock,
            )
        )
        return self.poller

    def poll(self, feed: str, seconds: float = SECONDS) -> Report:
        end = self.now + seconds

        def sleep(pause: float) -> None:
            self.slept.append(pause)
            self.now += pause

        deadline = Deadline(lambda: end - self.now, RESERVE_SECONDS, sleep)
        return self.poller.poll(self.source, feed, deadline)

    def good(self, feed: str, seconds: float = SECONDS) -> Report:
        report = self.poll(feed, seconds)
        if report.error:
            raise report.error
        return report

    def bodies(self) -> list[bytes]:
        """What is on the stream, with copies."""
        return sorted(envelope.body for envelope in self.kinesis.envelopes())

    def delivered(self, key: str) -> list[Any]:
        """The ids of what the fan-out delivers of it, by its own code."""
        bench = FanOutBench(self.catalog)
        batch = [record(encode_envelope(envelope)) for envelope in self.kinesis.envelopes()]
        for start in range(0, len(batch), 100):
            settled = bench.run_until_settled(*batch[start : start + 100])
            assert {outcome.kind for outcome in settled} <= {"delivered", "duplicate"}
        return sorted(message["details"][self.source][key] for message in bench.sqs.bodies())


def feed_of(settings: PollSettings, name: str, **changes: Any) -> PollSettings:
    """The same API with one feed changed."""
    feed: FeedSettings = replace(settings.feeds[name], **changes)
    return replace(settings, feeds={**settings.feeds, name: feed})


def okta_event(number: int, **more: Any) -> dict[str, Any]:
    return {
        "uuid": f"event-{number:05d}",
        "published": f"2026-11-23T20:{number // 60 % 60:02d}:{number % 60:02d}.000Z",
        "eventType": "user.session.start",
        **more,
    }
