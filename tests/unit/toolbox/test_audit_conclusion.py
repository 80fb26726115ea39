"""An audit's verdict: what is open, what was recovered or dismissed, and what to type next."""

from __future__ import annotations

from datetime import timedelta
from html.parser import HTMLParser

import orjson
import pytest

from pipeline.archive.lines import Received
from pipeline.archive.listing import ArchiveListing
from pipeline.archive.objects import Objects
from pipeline.event.event_id import EventId
from tests.support.replay import HOUR, FakeArchive, line
from tests.support.terminal import fits, is_golden, shown
from tests.unit.toolbox.test_audit import START
from toolbox.audit.conclusion import conclude
from toolbox.audit.dismissed import add_dismissed
from toolbox.audit.join import AuditReport
from toolbox.audit.page import audit_page
from toolbox.audit.run import AuditSpan
from toolbox.cli.audit_screen import print_audit

SPAN = AuditSpan(START, START + timedelta(hours=1))
DAY = AuditSpan(START - timedelta(days=1), START + timedelta(days=1))


def report() -> AuditReport:
    made = AuditReport()
    for number in range(1_200):
        made.add("github", "delivered", f"d{number}")
    for number in range(5):
        made.add("github", "rejected", f"r{number}", "schema_violation")
        made.add("generic-hmac", "rejected", f"q{number}", "bad_signature")
    made.add("okta-system-log", "failed", "f0")
    made.add("okta-system-log", "duplicate", "c0")
    made.add("okta-system-log", "pending", "p0")
    made.add("github", "delivered", "r0@job")
    # A replay that was rejected again, for another reason: still one request that is open.
    made.add("github", "rejected", "r1@job", "too_deep")
    for name in ("r2", "r0", "nothing of this span"):
        made.add_dismissed(EventId(name))
    return made


def test_each_request_that_ended_badly_is_recovered_dismissed_kept_apart_or_open() -> None:
    found = conclude(report())
    assert (found.recovered, found.dismissed) == (1, 1)
    assert found.quarantined == {"bad_signature": 5}
    assert found.left_open == {"schema_violation": 2, "failed": 1, "too_deep": 1}
    assert found.accounted
    assert found.headline == "Every event is accounted for; 4 wait for somebody"


def test_athena_counts_what_is_open_at_most() -> None:
    made = report()
    made.knows_each = False
    found = conclude(made)
    assert found.left_open == {"schema_violation": 5, "failed": 1}
    assert "at most 6" in found.headline


def test_a_loss_is_said_before_anything_else() -> None:
    made = AuditReport()
    made.add_unaccounted(Received(1, "e1", "github", 0.0, "raw/x"), "missing")
    text = shown(lambda: print_audit(made, SPAN, as_json=False))
    assert text.startswith("NOT accounted for")
    assert "audit --from 2026-11-23T20:00Z --missing-to missing.jsonl" in text


@pytest.mark.parametrize("ends", [(), ("ignored", "missing")])
def test_the_screen_fits(ends: tuple[str, ...]) -> None:
    made = report()
    for outcome in ends:
        made.add("onepassword-business", outcome, f"x-{outcome}")
    text = shown(lambda: print_audit(made, SPAN, as_json=False))
    fits(text)
    is_golden(f"audit{'-all' if ends else ''}", text)


def dismissed(key: object, archive: FakeArchive, name: str = "0") -> None:
    document = {"ticket": {"key": key}, "reason": "a test"}
    archive.objects[f"jobs/dismissed/{name}.json"] = orjson.dumps(document)


def test_the_events_of_a_dismissed_ticket_are_dismissed() -> None:
    archive = FakeArchive()
    key = f"rejected/source=github/{HOUR}/shardId-000000000000-1.jsonl.gz"
    archive.add(key, [line(number) for number in range(3)])
    dismissed(key, archive)
    dismissed("jobs/replay/no-events.json", archive, "1")
    dismissed(None, archive, "2")
    archive.objects["jobs/dismissed/3.json"] = b"[]"
    archive.objects["jobs/dismissed/4.json"] = b"\xff"
    made = AuditReport()
    for number in range(4):
        made.add("github", "rejected", orjson.loads(orjson.dumps(line(number)))["id"], "too_deep")
    add_dismissed(ArchiveListing(archive, "a"), Objects(archive, "a"), DAY, made)
    assert made.dismissed == 3
    assert made.left_open == {"too_deep": 1}
    assert made.faults == 2, "what is no record is named, and dismisses nothing"
    other = AuditReport()
    other.add("okta", "rejected", "x", "too_deep")
    span = AuditSpan(DAY.start, DAY.end, "okta")
    add_dismissed(ArchiveListing(archive, "a"), Objects(archive, "a"), span, other)
    assert other.dismissed == 0


class Page(HTMLParser):
    """What a browser finds in a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.addresses: list[str] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.addresses += [name for name, _ in attrs if name in {"src", "href", "srcset"}]

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_page_stands_by_itself_and_shows_hostile_text_as_text() -> None:
    hostile = "<img src=//x onerror=y>\x1b</td><script>"
    made = report()
    made.add("github", "rejected", "h", hostile)
    made.add_unreadable(hostile)
    page = Page(audit_page(made, SPAN))
    assert not page.addresses
    assert not {"script", "img", "link"} & set(page.tags)
    assert page.text.count(r"<img src=//x onerror=y>\x1b</td><script>") == 2
    assert conclude(made).headline in page.text


def test_a_list_that_is_replayed_recovers_what_was_delivered_of_it_and_no_more() -> None:
    made = AuditReport()
    for number in range(40):
        outcome = "rejected" if number < 3 else "delivered"
        made.add("okta", outcome, f"r#{number}", "too_deep")
    for number in range(40):
        outcome = "rejected" if number < 3 else "duplicate"
        made.add("okta", outcome, f"r@a#{number}", "too_deep")
    assert (made.recovered, made.left_open) == (0, {"too_deep": 3})
    made.add("okta", "delivered", "r@b#1")
    assert (made.recovered, made.left_open) == (1, {"too_deep": 2})
    # Another one was rejected as a whole, and came apart in its replay.
    made.add("okta", "rejected", "s", "invalid_json")
    made.add("okta", "delivered", "s@b#0")
    made.add("okta", "rejected", "s@b#1", "too_deep")
    assert (made.recovered, made.left_open) == (2, {"too_deep": 3})
