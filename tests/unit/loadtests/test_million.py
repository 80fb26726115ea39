"""The parts of a million that need no pipeline: its schedule, senders, feed, figures."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import itertools
import json
import urllib.request
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, TypeVar

import psutil  # type: ignore[import-untyped]
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from loadtests.million import contents
from loadtests.million.feed import PAGE, REPEATED, LogFeed
from loadtests.million.figures import NEEDED, MillionRun
from loadtests.million.memory import MemorySamples
from loadtests.million.operator import Operator, SteppingClock
from loadtests.million.plain_sqs import PlainSqs
from loadtests.million.plan import MillionPlan
from loadtests.million.schedule import make_schedule
from loadtests.million.stage import INVENTORY
from loadtests.million.traffic import (
    SHARES,
    EventCounts,
    MillionTraffic,
    Senderside,
    events_of_a_request,
)
from loadtests.million.wire import WireSenders
from loadtests.soak.books import digest
from loadtests.soak.oracle import SoakVerdict
from loadtests.soak.plan import Strike
from loadtests.soak.report import Oracle, SentCounts
from loadtests.soak.requests import RequestKind
from loadtests.soak.stream_reader import find_elements
from local.credentials import RunCredentials

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SECRETS = dict.fromkeys(
    ("github", "generic", "okta", "cloudflare-logpush", "zoom-direct", INVENTORY), "s3cret"
)


@pytest.mark.parametrize("seconds", [14.0, 1_200.0])
def test_each_strike_that_is_needed_is_in_every_schedule(seconds: float) -> None:
    plan = make_schedule(5, seconds)
    assert plan == make_schedule(5, seconds)
    assert plan != make_schedule(6, seconds)
    assert set(NEEDED) <= {planned.strike for planned in plan}
    assert all(0 <= planned.at <= seconds for planned in plan)
    moments = [planned.strike for planned in plan]
    assert moments.index(Strike.ROTATE) < moments.index(Strike.USE_NEW_SECRET)


def test_a_new_secret_is_used_once_functions_have_read_it() -> None:
    at = {planned.strike: planned.at for planned in make_schedule(5, 1_200.0)}
    assert at[Strike.USE_NEW_SECRET] - at[Strike.ROTATE] > 15


def test_a_million_within_25_minutes_is_enough_for_every_way() -> None:
    plan = MillionPlan(1_000_000, 1_500, 1, 240)
    sent = plan.rate * plan.seconds * events_of_a_request()
    assert sent + plan.polled >= 0.9 * plan.events
    assert plan.publishing_seconds < plan.seconds


def request(kind: RequestKind) -> tuple[MillionTraffic, Any]:
    traffic = MillionTraffic(Senderside(dict(SECRETS)), 1)
    return traffic, traffic.make(kind)


def test_requests_of_a_seed_are_the_same_and_of_the_mix() -> None:
    one, other = (MillionTraffic(Senderside(dict(SECRETS)), 4) for _ in range(2))
    made = [one.next() for _ in range(1_500)]
    assert [each.body for each in made] == [other.next().body for _ in range(1_500)]
    kinds = Counter(each.kind for each in made)
    assert set(kinds) == set(SHARES) - {RequestKind.COPY}  # nothing was sent that could be copied
    assert len({each.token for each in made}) == 1_500
    mean = sum(each.events for each in made) / len(made)
    assert mean == pytest.approx(events_of_a_request(), rel=0.2)


def test_lists_have_as_many_events_as_they_say_by_a_reader_of_its_own() -> None:
    for kind, source in (
        (RequestKind.BATCH, "okta"),
        (RequestKind.LINES, "cloudflare-logpush"),
    ):
        _, sent = request(kind)
        elements = find_elements(source, sent.body)
        assert elements is not None
        assert len(elements) == sent.events > 1
        assert sent.source == source


def test_events_of_one_kilobyte_have_that_size() -> None:
    for mould in (contents.ZOOM, contents.OKTA, contents.CLOUDFLARE, contents.GENERIC):
        body = mould.cast("t" * len("@token@"))
        assert len(body) == contents.SMALL_BYTES
        assert isinstance(json.loads(body), dict)


def test_requests_are_signed_as_the_senders_pages_say() -> None:
    # docs.github.com, "Validating webhook deliveries", has secret, payload and signature.
    headers = contents.github_headers("It's a Secret to Everybody", "push", "1", b"Hello, World!")
    assert headers["X-Hub-Signature-256"] == (
        "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    )
    headers = contents.zoom_headers("secret", b"{}")
    signed = f"v0:{headers['x-zm-request-timestamp']}:{{}}".encode()
    expected = hmac.new(b"secret", signed, hashlib.sha256).hexdigest()
    assert headers["x-zm-signature"] == f"v0={expected}"


def test_a_forged_request_and_one_by_a_former_schema_are_what_they_are_called() -> None:
    traffic, forged = request(RequestKind.FORGED)
    right = contents.github_headers("s3cret", "watch", forged.token, forged.body)
    assert forged.headers["X-Hub-Signature-256"] != right["X-Hub-Signature-256"]
    levels = {
        kind: json.loads(traffic.make(kind).body)["level"]
        for kind in (RequestKind.FORMER, RequestKind.OUTDATED, RequestKind.PRESENT)
    }
    assert list(levels.values()) == ["low", "low", 3]


class Door:
    """A front door that answers as it is told."""

    def __init__(self, answers: Iterator[bytes]) -> None:
        self.answers = answers
        self.bodies: list[bytes] = []
        self.address = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while not reader.at_eof():
            try:
                head = await reader.readuntil(b"\r\n\r\n")
            except asyncio.IncompleteReadError:
                break
            length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
            self.bodies.append(await reader.readexactly(length))
            if not (answer := next(self.answers)):
                break
            writer.write(answer)
        writer.close()


class Told:
    """A journal of senders, in memory."""

    def __init__(self) -> None:
        self.answers: Counter[str] = Counter()

    def note(self, sent: Any, status: int, content: bytes) -> None:
        del sent
        self.answers[f"{status} {content.decode()}"] += 1

    def note_broken(self, sent: Any, error: Exception) -> None:
        del sent
        self.answers[type(error).__name__] += 1


OK = b'HTTP/1.1 200 OK\r\nContent-Length: 8\r\nServer: x\r\n\r\n{"id":1}'
NO_LENGTH = b"HTTP/1.1 200 OK\r\nServer: x\r\n\r\n"


async def converse(answers: list[bytes]) -> tuple[Told, EventCounts, Door]:
    door, told, counts = Door(itertools.chain(answers, itertools.repeat(OK))), Told(), EventCounts()
    server = await asyncio.start_server(door.serve, "127.0.0.1", 0)
    address = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    closed = await asyncio.start_server(door.serve, "127.0.0.1", 0)
    nobody = f"http://127.0.0.1:{closed.sockets[0].getsockname()[1]}"
    closed.close()
    await closed.wait_closed()
    places = itertools.chain([nobody], itertools.repeat(address))
    senders = WireSenders(
        MillionTraffic(Senderside(dict(SECRETS)), 1),
        lambda: next(places),
        rate=10_000.0,
        journal=told,  # type: ignore[arg-type]
        counts=counts,
        enough=lambda: counts.requests.total() >= 50,
        most_seconds=60.0,
    )
    senders.also(RequestKind.BATCH)
    await senders.run(0.0)
    server.close()
    return told, counts, door


def test_senders_keep_what_they_are_told_and_go_on_until_it_is_enough() -> None:
    told, counts, door = asyncio.run(converse([NO_LENGTH, b""]))
    assert counts.requests.total() >= 50
    assert counts.events.total() > counts.requests.total()
    assert told.answers['200 {"id":1}'] == counts.requests.total()
    assert told.answers["BrokenAnswerError"] == told.answers["IncompleteReadError"] == 1
    # Where nothing listens nothing can have arrived: the same request is sent again.
    assert told.answers["ConnectionRefusedError"] == 1
    assert len(door.bodies) == counts.requests.total() + 2


def test_a_signature_is_that_of_botocore() -> None:
    sqs = PlainSqs("http://127.0.0.1:4566", "us-west-2", RunCredentials("AKID", "secret"))
    headers = sqs._sign("AmazonSQS.ReceiveMessage", 1_795_694_400)
    request = AWSRequest("POST", "http://127.0.0.1:4566/", data=b"{}")
    for name in ("X-Amz-Content-SHA256", "X-Amz-Date", "X-Amz-Target"):
        request.headers[name] = headers[name.lower()]
    request.context["timestamp"] = headers["x-amz-date"]
    auth = SigV4Auth(Credentials("AKID", "secret"), "sqs", "us-west-2")
    text = auth.string_to_sign(request, auth.canonical_request(request))
    assert headers["Authorization"].endswith(f"Signature={auth.signature(text, request)}")


def fetch(url: str) -> tuple[list[str], str]:
    """What a page has, and where the next one is; another try where it is refused."""
    for _ in range(200):
        try:
            with urllib.request.urlopen(url, timeout=600) as answer:
                link = answer.headers["Link"].partition("<")[2].partition(">")[0]
                return [each["uuid"] for each in json.loads(answer.read())], link
        except (OSError, ValueError):
            continue
    raise AssertionError("never answered")


def test_a_feed_gives_all_it_publishes_and_repeats_the_last_of_a_page() -> None:
    total = 2 * PAGE + 10
    with LogFeed(1, total, 0.0) as feed:
        assert fetch(f"{feed.base_url}/api/v1/logs?since=x")[0] == []
        feed.begin()
        found, url = [], f"{feed.base_url}/api/v1/logs?since=x"
        for _ in range(4):
            page, url = fetch(url)
            found.append(page)
        assert [len(page) for page in found] == [PAGE, PAGE + REPEATED, 10 + REPEATED, 0]
        assert found[1][:REPEATED] == found[0][-REPEATED:]
        assert feed.exhausted
        published = dict(feed.published())
        assert set(published) == set(itertools.chain.from_iterable(found))
        token = found[0][0]
        assert published[token] == digest(contents.OKTA.cast(token))


def run_of(**changes: Any) -> MillionRun:
    run = MillionRun(
        1,
        1.0,
        SentCounts(1, Counter(), 0, 0, Counter()),
        SoakVerdict(),
        Counter(dict.fromkeys([*NEEDED, *"abcde"], 1)),
        1.0,
        Oracle(1.0, 1.0, 1.0),
        wanted=1_000,
        whole_seconds=60.0,
        most_seconds=100.0,
        ways={"1 KB": {"requests": 10, "events": 400}, "polled": {"requests": 1, "events": 600}},
    )
    return replace(run, **changes)


@pytest.mark.parametrize(
    ("changes", "miss"),
    [
        ({"wanted": 1_001}, "1,000 events were accepted, of 1,001"),
        ({"whole_seconds": 101.0}, "took 101 seconds, of 100"),
        (
            {
                "faults": Counter(
                    dict.fromkeys([*NEEDED, "copy", "bad_signature", "wrong_schema"], 1)
                )
            },
            "7 kinds of fault struck, of 12",
        ),
        (
            {"faults": Counter(dict.fromkeys([*NEEDED[1:], *"abcdef"], 1))},
            f"{NEEDED[0]}: did not strike",
        ),
    ],
)
def test_a_run_that_was_smaller_or_easier_than_wanted_does_not_hold(
    changes: dict[str, Any], miss: str
) -> None:
    assert run_of().misses() == []
    assert run_of().holds
    run = run_of(**changes)
    assert run.misses() == [miss]
    assert not run.holds
    assert run.figures()["misses"] == [miss]


def test_a_slope_is_that_of_what_follows_the_start() -> None:
    memory = MemorySamples()
    start = [(at, 10.0 + at) for at in range(25)]
    memory.roles["flat"] = [*start, *((float(at), 40.0) for at in range(25, 101))]
    memory.roles["grows"] = [*start, *((at, 40.0 + at / 3_600) for at in range(25, 101))]
    figures = memory.figures()
    assert figures["flat"]["mib_an_hour"] == 0.0
    assert figures["grows"]["mib_an_hour"] == pytest.approx(1.0)
    assert (figures["flat"]["first_mib"], figures["flat"]["most_mib"]) == (10.0, 40.0)


def test_this_process_is_among_those_that_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    names = {" ".join(psutil.Process().cmdline())[-40:]: "tests"}
    monkeypatch.setattr("loadtests.million.memory._NAMES", names)
    memory = MemorySamples()
    memory.take()
    assert memory.roles["tests"][0][1] > 1
    assert memory.processor_seconds()["tests"] > 0


AnOperator = TypeVar("AnOperator", bound=Operator)


def begun(kind: type[AnOperator], folder: Path, **arena: Any) -> AnOperator:
    """An operator of a pipeline of which there is no more than this."""
    return kind(
        SimpleNamespace(state=folder, **arena),  # type: ignore[arg-type]
        Senderside(dict(SECRETS)),
        SteppingClock(folder / "clock"),
        emulator_pid=0,
        next_assembly=folder,
        lasts=0.0,
        replayed_seconds=14.0,
        seed=1,
    )


class SlowArchive(Operator):
    """A replay finds nothing twice: the archiver has not come to it yet."""

    found = (0, 0, 3)

    def _run(self, words: list[str]) -> Any:
        self.starts = [*getattr(self, "starts", []), words[words.index("--from") + 1]]
        return {"id": f"job-{len(self.starts)}", "counts": {"sent": self.found[len(self.jobs)]}}


def test_a_replay_is_tried_again_until_the_archive_has_something(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("loadtests.million.operator._PAUSE_SECONDS", 0.0)
    operator = begun(SlowArchive, tmp_path)
    operator.replay()
    assert (operator.replayed, operator.counts[Strike.REPLAY]) == (3, 1)
    assert operator.jobs == ["job-1", "job-2", "job-3"]
    # What was not found the first time is in the windows after it.
    assert len(set(operator.starts)) == 1


def test_a_new_secret_is_used_however_late_it_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("loadtests.million.operator._PAUSE_SECONDS", 0.0)
    pages = [{"Parameters": [{"Name": "/P/github/dev/webhook_secret"}]}]
    ssm = SimpleNamespace(
        get_paginator=lambda _: SimpleNamespace(paginate=lambda: pages),
        put_parameter=lambda **_: None,
    )
    operator = begun(Operator, tmp_path, client=lambda _: ssm)
    with ThreadPoolExecutor(1) as pool:
        use = pool.submit(operator.use_new_secret)
        operator.rotate()
        use.result()
    assert operator.counts[Strike.USE_NEW_SECRET] == 1

    other = tmp_path / "other"
    other.mkdir()
    never = begun(Operator, other)
    never.over.set()
    never.use_new_secret()  # the run is over: nobody waits for what is not written by then
    assert not never.counts


def test_clock_steps_that_meet_are_both_taken(tmp_path: Path) -> None:
    clock = SteppingClock(tmp_path / "clock")
    with ThreadPoolExecutor(4) as pool:
        steps = [pool.submit(clock.step, float(number)) for number in range(2_000)]
    assert all(step.exception() is None for step in steps)
    assert float((tmp_path / "clock" / "clock").read_text()) in range(2_000)
