"""The audit by Athena says what the audit on one machine says, of the same objects.

The SQL runs on DuckDB, over the columns and partitions of the template's tables.
"""

from __future__ import annotations

import json
import random
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from pipeline.archive.listing import ArchiveListing
from pipeline.archive.objects import Objects
from pipeline.event.event_id import element_id, request_id
from pipeline.event.times import iso_milliseconds
from tests.infra.application.test_archive_tables import tables
from tests.support.athena import BUCKET, FakeAthena
from tests.support.command import run_here
from tests.support.replay import FakeArchive, line
from toolbox.audit import sql
from toolbox.audit.athena import AthenaWorkgroup, AuditQueryError, QueryEnd
from toolbox.audit.distributed import DistributedAudit, check_sources, whole_hours
from toolbox.audit.document import audit_document
from toolbox.audit.join import AuditReport
from toolbox.audit.known import KnownElsewhere
from toolbox.audit.reading import ArchiveReader
from toolbox.audit.run import Audit, AuditSpan
from toolbox.audit.verdicts import Verdicts, newest_entries
from toolbox.deployments import RunningDeployment
from toolbox.terminal.output import DOES_NOT_HOLD, WRONG_USAGE

if TYPE_CHECKING:
    from pathlib import Path

    from tests.infra.conftest import Synthesized

DAY = datetime(2026, 11, 23, 22, tzinfo=UTC)
SPAN = AuditSpan(DAY, DAY + timedelta(hours=4))
NOW = (DAY + timedelta(hours=3, minutes=50)).timestamp()
SOURCES = ("_unknown", "generic", "github")
SHARDS = ("shardId-000000000000", "shardId-000000000001")
#: Functions of the SQL, each on Trino's list of functions and operators (trino.io/docs/current).
TRINO = {
    "bool_or", "case", "coalesce", "count", "count_if", "from_iso8601_timestamp", "max", "max_by",
    "min", "regexp_like", "split_part", "strpos", "sum", "try", "url_decode", "url_encode",
}  # fmt: skip
ODD = ('a"b', "a,b", "a\nb", "a'b", "ä€", "a%b", "a@b", "a#b", "a b+c", "\x1b[1m")


class World:
    """An archive of four hours, by chance, and what came of its events."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.s3 = FakeArchive()
        self.s3.page = 1_000
        self.raw: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
        self.ledger: dict[tuple[str, str], list[dict[str, Any]]] = {}
        self.failed: set[str] = set()
        self.delivered: set[str] = set()
        self.record = (0.0, "", "")
        self.expected = {"short": 0, "unaccounted": 0, "unarchived": 0}
        for number in range(240):
            self.add(number)
        self.write()

    def add(self, number: int) -> None:
        """Add a request with its lines."""
        if number % 60 and self.chance.random() < 0.25:
            arrived, shard, sequence = self.record  # One of several in an aggregate.
        else:
            arrived, shard = DAY.timestamp() + number * 60, self.chance.choice(SHARDS)
            # Sequence numbers have as many digits, and grow with time.
            sequence = str(10**20 + number)
        self.record = arrived, shard, sequence
        name = f"r{number}{self.chance.choice(ODD) if number % 9 == 0 else ''}"
        replayed = number > 100 and self.chance.random() < 0.2
        if replayed:
            name = f"r{number - 90}"
        request = request_id(name, "replay-20261123T220000-0a1b" if replayed else "")
        source = self.chance.choice(SOURCES)
        place = {
            "shard_id": shard,
            "sequence_number": sequence,
            "arrived": iso_milliseconds(arrived),
            "source": source,
        }
        folder = datetime.fromtimestamp(arrived, UTC).strftime("dt=%Y-%m-%d/hr=%H/")
        fate = self.chance.random()
        archived, settled = fate > 0.06, fate < 0.9
        if archived:
            lines = self.raw.setdefault((source, folder, shard), [])
            lines.append({**line(number), **place, "id": request})
        if settled:
            self.settle(request, place, folder)
            self.expected["unarchived"] += not archived
        elif archived:
            self.expected["unaccounted"] += 1
            if fate > 0.98:
                self.failed.add(request)
            elif fate > 0.96:
                self.delivered.add(request)
        if not archived and self.chance.random() < 0.3:
            self.failed.add(request)

    def settle(self, request: str, place: dict[str, Any], folder: str) -> None:
        """Add the ledger's lines of a request."""
        parts = self.chance.choice([0, 0, 0, 3, 12])
        names = [element_id(request, n) for n in range(parts)] or [request]
        if parts and self.chance.random() < 0.3:
            for _ in range(self.chance.choice((1, 2))):
                names.remove(self.chance.choice(names))
                raw = self.raw.get((place["source"], folder, place["shard_id"]), [])
                self.expected["short"] += request in {one["id"] for one in raw}
        for name in names:
            outcome, reason = self.chance.choice(
                [
                    ("delivered", None),
                    ("delivered", "id_reused"),
                    ("duplicate", None),
                    ("rejected", "schema_violation"),
                    ("ignored", None),
                ]
            )
            entry = {"id": name, **place, "outcome": outcome, "reason": reason}
            if parts:
                entry["elements"] = parts
            self.ledger.setdefault((folder, place["shard_id"]), []).append(entry)

    def write(self) -> None:
        """Cut the lines into objects; some lines are in two of them."""
        for (source, folder, shard), lines in self.raw.items():
            for part in self.cut(lines):
                first = part[0]["sequence_number"]
                self.s3.add(f"raw/source={source}/{folder}{shard}-{first}.jsonl.gz", part)
        for (folder, shard), lines in self.ledger.items():
            for part in self.cut(lines):
                first = part[0]["sequence_number"]
                self.s3.add(f"ledger/{folder}{shard}-{first}.jsonl.gz", part)

    def cut(self, lines: list[dict[str, Any]]) -> list[list[dict[str, Any]]]:
        """Cut lines where a record ends; begin some parts with lines of the one before."""
        parts: list[list[dict[str, Any]]] = [[]]
        for number, one in enumerate(lines):
            before = lines[number - 1] if number else one
            if before["sequence_number"] != one["sequence_number"] and self.chance.random() < 0.3:
                # The batch was tried again in other parts: its outcome is another one by now.
                again = {**before, "outcome": "duplicate"} if "outcome" in before else before
                # An object that began with the same record would be overwritten.
                other = parts[-1][0]["sequence_number"] != before["sequence_number"]
                parts.append([again] if other and self.chance.random() < 0.4 else [])
            parts[-1].append(one)
        return parts

    def verdicts(self) -> tuple[ArchiveReader, Verdicts, AuditReport]:
        """Return what both ways of an audit share."""
        report = AuditReport()
        reader = ArchiveReader(Objects(self.s3, BUCKET), report.add_unreadable)
        newest = newest_entries(ArchiveListing(self.s3, BUCKET), reader, SPAN.start, SPAN.end, NOW)
        known = KnownElsewhere(self.failed, lambda event: event.id in self.delivered)
        return reader, Verdicts(known, newest, clock=lambda: NOW), report


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "bucket"


def here(world: World, span: AuditSpan = SPAN) -> AuditReport:
    reader, verdicts, report = world.verdicts()
    listing = ArchiveListing(world.s3, BUCKET)
    Audit(listing, reader, verdicts).run(span, report, lambda *_: None)
    return report


def workgroup(world: World, athena: FakeAthena) -> AthenaWorkgroup:
    objects = Objects(world.s3, BUCKET)
    return AthenaWorkgroup(athena, objects, "group", "base", BUCKET, lambda _: None)


def there(world: World, athena: FakeAthena, span: AuditSpan = SPAN) -> AuditReport:
    _, verdicts, report = world.verdicts()
    done: list[tuple[int, int]] = []
    DistributedAudit(workgroup(world, athena), verdicts).run(
        span, report, lambda *now: done.append(now)
    )
    assert done[0] == (0, 4)
    assert done[-1] == (4, 4)
    return report


def document(report: AuditReport) -> dict[str, Any]:
    found = audit_document(report, SPAN)
    found.pop("unreadable")  # One names each line, the other each object.
    found.pop("verdict")  # One tells events apart, the other counts them.
    return found | {
        "missing_events": sorted(report.missing),
        "unmatched": sorted(entry.id.partition("#")[0] for entry in report.unmatched),
        "holds": report.holds,
    }


@pytest.mark.parametrize("seed", range(4))
def test_both_ways_say_the_same(stack: Synthesized, folder: Path, seed: int) -> None:
    world = World(seed)
    athena = FakeAthena(tables(stack), world.s3, folder)
    one, other = here(world), there(world, athena)
    assert document(one) == document(other)
    assert other.unarchived == world.expected["unarchived"] > 0
    lacking = sum(one.totals[what] for what in ("missing", "pending"))
    explained = one.totals["failed"] + len(world.delivered)
    assert lacking + explained == world.expected["unaccounted"] + world.expected["short"]
    assert one.recovered > 0
    assert not one.faults


def test_one_source_is_audited_alone(stack: Synthesized, folder: Path) -> None:
    world = World(7)
    athena = FakeAthena(tables(stack), world.s3, folder)
    span = AuditSpan(SPAN.start, SPAN.end, "github")
    assert document(here(world, span)) == document(there(world, athena, span))
    assert "AND source = 'github'" in athena.texts["query-0"]
    with pytest.raises(ValueError, match="no name of a source"):
        sql.hour_query(DAY, "x' OR '1' = '1")


def test_lines_that_are_none_are_counted(stack: Synthesized, folder: Path) -> None:
    world = World(3)
    broken = [{**line(1), "sequence_number": "x"}, {**line(2), "arrived": "soon"}, line(3)]
    # Python reads no number of 5,000 digits; and two thousand million events would be counted one
    # by one.
    broken += [{**line(4), "sequence_number": "9" * 5_000}]
    # A time for SQL, and none for Python.
    broken += [{**line(5), "arrived": "2026-11-23 23:30:00 UTC"}]
    world.s3.add(f"raw/source=github/dt=2026-11-23/hr=23/{SHARDS[0]}-9.jsonl.gz", broken)
    place = {"shard_id": SHARDS[0], "sequence_number": "9", "arrived": line(1)["arrived"]}
    entry: dict[str, Any] = {"id": "r", "source": "github", "outcome": "lost", "reason": None}
    entry |= place
    many = {**entry, "id": "request-3#0", "outcome": "ignored", "elements": 2 * 10**9,
            "sequence_number": "3"}  # fmt: skip
    world.s3.add(f"ledger/dt=2026-11-23/hr=23/{SHARDS[0]}-9.jsonl.gz", [entry, many])
    athena = FakeAthena(tables(stack), world.s3, folder)
    one, other = here(world), there(world, athena)
    assert one.faults == other.faults == 6
    # Lines of another hour are left out where they lie in the wrong folder, and counted by Athena.
    assert other.received == one.received + 1


def test_a_query_that_fails_spoils_its_hour_alone(stack: Synthesized, folder: Path) -> None:
    world = World(3)
    athena = FakeAthena(tables(stack), world.s3, folder)
    athena.broken = "hr = 0"
    report = there(world, athena)
    assert report.unaudited == ["2026-11-24T00Z: failed: HIVE_CURSOR_ERROR"]
    assert not report.holds
    rest = [AuditSpan(SPAN.start, DAY + timedelta(hours=2)),
            AuditSpan(DAY + timedelta(hours=3), SPAN.end)]  # fmt: skip
    assert report.received == sum(here(world, span).received for span in rest)


def test_the_sql_calls_functions_that_trino_has() -> None:
    text = sql.hour_query(DAY, None) + sql.replays_query([DAY], None, [])
    text = re.sub(r"--.*|'[^']*'", "", text)
    called = {name.lower() for name in re.findall(r"\b([A-Za-z_0-9]+)\(", text)}
    assert called <= TRINO, called - TRINO
    # A part of a WITH clause is read again for each place that names it.
    for part in ("lines", "events", "judged", "named"):
        assert len(re.findall(rf"\bFROM {part}\b", sql.hour_query(DAY, None))) == 1
    for table in ("raw", "ledger"):
        assert len(re.findall(rf"\bFROM {table}\b", sql.hour_query(DAY, None))) == 1


def test_a_query_reads_the_hours_that_it_names() -> None:
    assert sql.hour_query(DAY, None).count("dt = '2026-11-23' AND hr = 22") == 2
    hours = [DAY + timedelta(hours=n) for n in range(4)]
    place = "((dt = '2026-11-23' AND hr IN (22, 23)) OR (dt = '2026-11-24' AND hr IN (0, 1)))"
    assert sql.replays_query(hours, None, []).count(f"WHERE {place}") == 2
    assert sql.replays_query(hours, "okta", []).count(f"WHERE {place} AND source = 'okta'") == 2
    assert "VALUES (''), ('a%27b+c')" in sql.replays_query(hours, None, ["a'b c"])
    month = [DAY + timedelta(hours=n) for n in range(24 * 30)]
    assert len(sql.replays_query(month, None, ["x" * 100] * 9_000)) < 262_144
    odd = AuditSpan(DAY + timedelta(minutes=5), DAY + timedelta(hours=1), "okta")
    assert whole_hours(odd) == AuditSpan(DAY, DAY + timedelta(hours=1), "okta")
    later = AuditSpan(DAY, DAY + timedelta(hours=1, seconds=1))
    assert whole_hours(later).end == DAY + timedelta(hours=2)


def test_no_more_queries_run_than_athena_takes(stack: Synthesized, folder: Path) -> None:
    world = World(1)
    athena = FakeAthena(tables(stack), world.s3, folder)
    athena.room = 1
    assert there(world, athena).received == here(world).received
    athena.room = 0
    with pytest.raises(AuditQueryError, match="TooManyRequests"):
        there(world, athena)


def test_a_query_of_which_athena_says_nothing_is_asked_about_again_and_not_for_ever(
    stack: Synthesized, folder: Path
) -> None:
    world = World(1)
    athena = FakeAthena(tables(stack), world.s3, folder)
    athena.silent["query-0"] = 29
    assert there(world, athena).received == here(world).received
    assert athena.silent["query-0"] == 0
    athena = FakeAthena(tables(stack), world.s3, folder)
    athena.silent["query-1"] = 10_000
    with pytest.raises(AuditQueryError, match="how its query query-1 is: INTERNAL: not now"):
        there(world, athena)
    assert athena.silent["query-1"] == 10_000 - 30


def test_queries_are_stopped_with_the_audit(stack: Synthesized, folder: Path) -> None:
    world = World(1)
    athena = FakeAthena(tables(stack), world.s3, folder)
    group = workgroup(world, athena)
    running = group.run([(str(n), sql.hour_query(DAY, None)) for n in range(12)])
    next(running)
    running.close()  # type: ignore[attr-defined]
    assert len(athena.stopped) == 7


def test_an_answer_that_is_none_of_athena_is_refused(stack: Synthesized, folder: Path) -> None:
    world = World(1)
    athena = FakeAthena(tables(stack), world.s3, folder)
    group = workgroup(world, athena)
    for text in (b'"what"\n"a\n', b'"what"\n"\xff"\n', b"x" * 100_000):
        world.s3.objects["athena-results/x.csv"] = text
        with pytest.raises(AuditQueryError, match="no answer of Athena"):
            list(group.rows(QueryEnd("", "", "athena-results/x.csv", 0)))
    athena.results = "s3://elsewhere/"
    (first, *_) = there(world, athena).unaudited
    assert "not in the archive's bucket" in first


class FakeGlue:
    def __init__(self, sources: str) -> None:
        self.sources = sources

    def get_table(self, *, DatabaseName: str, Name: str) -> dict[str, Any]:
        assert (DatabaseName, Name) == ("base", "raw")
        return {"Table": {"Parameters": {"projection.source.values": self.sources}}}


class NoItems:
    """A deduplication table that has forgotten everything."""

    def get_item(self, **_: Any) -> dict[str, Any]:
        return {}


def test_the_command_audits_whole_hours_of_a_stack(
    stack: Synthesized, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(1)
    athena = FakeAthena(tables(stack), world.s3, folder)
    clients = {
        "s3": world.s3,
        "athena": athena,
        "glue": FakeGlue(",".join(SOURCES)),
        "dynamodb": NoItems(),
    }
    where = RunningDeployment(
        "stack there", False, "stream", BUCKET, "table", "queue", "", clients.__getitem__,  # type: ignore[arg-type]
        workgroup="group", database="base",
    )  # fmt: skip
    monkeypatch.setattr("toolbox.cli.audit.find_deployment", lambda *_: where)
    monkeypatch.setattr("toolbox.audit.athena._ASK_SECONDS", 0.0)
    words = ("audit", "--from", "2026-11-23T22:20Z", "--to", "2026-11-24T01:30Z", "--distributed")
    refused = run_here(*words)
    assert refused.status == WRONG_USAGE
    assert "--stack" in refused.err
    done = run_here(*words, "--stack", "there", "--json")
    assert done.status == DOES_NOT_HOLD
    told = json.loads(done.out)
    assert (told["from"], told["to"]) == (SPAN.start.isoformat(), SPAN.end.isoformat())
    assert told["received"] == here(world).received
    assert "4 hours" in run_here(*words, "--stack", "there").err
    clients["glue"] = FakeGlue("github")
    assert "former_sources" in run_here(*words, "--stack", "there").err
    monkeypatch.setattr("toolbox.cli.audit.find_deployment", lambda *_: replace(where, database=""))
    assert "GlueDatabase" in run_here(*words, "--stack", "there").err


def test_a_source_that_the_tables_do_not_show_is_named() -> None:
    world = World(1)
    listing = ArchiveListing(world.s3, BUCKET)
    check_sources(FakeGlue(",".join(SOURCES)), "base", listing, SPAN)
    with pytest.raises(AuditQueryError, match=r"'generic'.*former_sources"):
        check_sources(FakeGlue("_unknown,github"), "base", listing, SPAN)
    check_sources(FakeGlue("github"), "base", listing, AuditSpan(SPAN.start, SPAN.end, "github"))
    before = AuditSpan(SPAN.start - timedelta(days=9), SPAN.start - timedelta(days=8))
    check_sources(FakeGlue("github"), "base", listing, before)
