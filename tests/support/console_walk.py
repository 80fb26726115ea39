"""What a person does in the console with an event that was rejected, step by step."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING

from tests.support.console_browser import NARROW as PHONE
from tests.support.console_browser import WIDE as DESK
from tests.support.mozdef import assert_contract
from tests.support.private_source import NAME, WIDE
from toolbox.deployments import local_clients

if TYPE_CHECKING:
    from local.endpoints import Endpoints
    from tests.support.console_browser import Visitor


def see_why(visitor: Visitor, wanted: str) -> None:
    """Find an event by its source, its outcome and a text; see the place that is wrong."""
    page = visitor.page
    page.get_by_role("navigation").get_by_role("link", name="Events").click()
    page.get_by_label("Source").select_option(NAME)
    page.get_by_label("Outcome").select_option("rejected")
    page.get_by_label("Text in body").fill("ping of h2.")
    page.get_by_role("button", name="Search").click()
    rows = page.get_by_role("row").filter(has_text="schema_violation")
    assert rows.count() == 1
    rows.get_by_role("link").click()
    page.get_by_role("heading", level=1, name=wanted).wait_for()
    assert page.locator("mark").inner_text() == 'check "ping of h2.example.com"'
    assert page.get_by_text("body.check must be object").count()
    for scheme, size in (("dark", PHONE), ("light", DESK)):
        visitor.show(scheme, size)
        assert visitor.faults() == [], scheme
    page.locator("dd a[href^='/tickets/']").click()
    page.get_by_role("heading", level=1, name="Ticket ").wait_for()


def mend_the_schema(visitor: Visitor) -> None:
    """From the ticket to its schema; try the change, and save it."""
    page = visitor.page
    page.get_by_role("link", name=f"Change the schema of {NAME}").click()
    page.locator(".CodeMirror").click()
    page.keyboard.press("Control+A")
    page.keyboard.insert_text(WIDE)
    page.get_by_role("button", name="Try it", exact=True).click()
    told = page.locator("main [role=status] .well")
    assert re.fullmatch(r"(\d) of \1 events pass; 1 of 1 samples fit\.", told.inner_text())
    assert visitor.faults() == []
    visitor.picture("tickets-one-schema-tried")
    page.get_by_label("Why it is changed").fill("checks are texts, too")
    page.get_by_role("button", name="Try it and save it").click()
    page.get_by_text("It is saved.").wait_for()


def replay_all(visitor: Visitor, number: int) -> None:
    """From the page of replays: what would be sent, its progress, and what became of it."""
    page = visitor.page
    page.get_by_role("navigation").get_by_role("link", name="Replay").click()
    page.get_by_label("Source").select_option(NAME)
    page.get_by_label("Reason").select_option("schema_violation")
    page.get_by_role("button", name="See what would be sent").click()
    page.get_by_text(f"{number} events, ").wait_for()
    page.get_by_label("Why; it is kept").fill("the schema is mended")
    page.get_by_role("button", name="Send them").click()
    page.get_by_text(f"{number} sent, 100 %").wait_for()
    page.get_by_text(f"{number} delivered, 0 duplicate").wait_for()
    # The page is another one at the end: nothing can be stopped, and its counts are the last ones.
    page.get_by_role("row", name=f"sent {number} ").wait_for()
    assert page.get_by_role("button", name="Stop").count() == 0
    assert visitor.faults() == []
    visitor.picture("replays-one-settled")


def dismiss_what_was_mended(visitor: Visitor) -> None:
    """From the list of tickets: narrow it, mark all of it, and say why none needs anything."""
    page = visitor.page
    page.get_by_role("navigation").get_by_role("link", name="Tickets").click()
    page.get_by_label("Source").select_option(NAME)
    page.get_by_role("button", name="Show").click()
    page.get_by_label("Choose all that are listed").check()
    assert page.locator("[name=ticket]:not(:checked)").count() == 0
    page.get_by_label("Why those that are chosen").fill("replayed with the mended schema")
    assert visitor.faults() == []
    page.get_by_role("button", name="Dismiss the chosen").click()
    page.get_by_text(re.compile(r"None of \d+ fits|There is none")).wait_for()


def delivered_hosts(where: Endpoints) -> list[str]:
    """Take what is in the source's queue, as MozDef does; return the host of each event."""
    sqs = local_clients(where)("sqs")
    answer = sqs.receive_message(
        QueueUrl=where.queues[NAME], MaxNumberOfMessages=10, WaitTimeSeconds=0
    )
    messages = [json.loads(one["Body"]) for one in answer["Messages"]]
    for one in messages:
        assert_contract(one)
    return sorted(one["details"][NAME]["host"] for one in messages)


def exported(visitor: Visitor) -> tuple[Path, dict[str, int]]:
    """Audit the source, and keep the report and the document."""
    page = visitor.page
    page.get_by_role("navigation").get_by_role("link", name="Audit").click()
    page.get_by_label("From").fill("1h")
    page.get_by_label("Source").select_option(NAME)
    page.get_by_role("button", name="Audit").click()
    page.get_by_role("heading", name="Verdict").wait_for()
    visitor.picture("audit-made")
    kept = []
    for kind in ("HTML", "JSON"):
        with page.expect_download() as download:
            page.get_by_role("button", name=f"Export as {kind}").click()
        place = Path(download.value.path())
        kept.append(place.rename(place.with_name(download.value.suggested_filename)))
    return kept[0], json.loads(kept[1].read_text())


class KeptReport(HTMLParser):
    """Reads a report's rows, and whatever a browser would fetch for it."""

    def __init__(self) -> None:
        super().__init__()
        self.fetched: list[str] = []
        self.rows: dict[str, str] = {}
        self._cells: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in {"script", "link", "img", "iframe", "object", "embed"}:
            self.fetched.append(tag)
        self.fetched += [str(value) for name, value in attrs if name in {"src", "href", "srcset"}]
        if tag == "tr":
            self._cells = []

    def handle_data(self, data: str) -> None:
        self._cells.append(data)

    def handle_endtag(self, tag: str) -> None:
        if tag == "tr" and len(self._cells) == 2:
            self.rows[self._cells[0]] = self._cells[1]
