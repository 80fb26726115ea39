"""Writes `docs/cost.md` from the data file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from toolbox.costs.capacity import concurrency, needs
from toolbox.costs.designs import all_bills
from toolbox.costs.workload import Workload, shards

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from toolbox.costs.designs import Bill
    from toolbox.costs.prices import PriceList

RATES = (10, 1_000, 10_000, 100_000)
SIZES = (1_024, 10_240)

_HEAD = """# What it costs, and how it scales

This page is made by `mozdef-ef cost --document`. The arithmetic is in `toolbox/costs`, the prices
and everything that it takes for granted are in `toolbox/costs/prices.yaml`. To work with your own
rate, size or prices, edit that file or run `mozdef-ef cost --events-per-second N --bytes B`.

List prices of {region}, in US dollars, without tax, free tier, discounts or support. They were
entered by hand on {date}; check them against the pages at the end before you decide by them. A
month has 730 hours. Rates are averages over the month; the archive is counted as it is once its
oldest objects reach the end of their lifetime. Nothing here was read from a bill: no account ran
this. Processor times are measured on a development machine and are the least certain part; they
are also among the smallest.
"""

_READING = """
## How to read it

- The front door is the largest part in every design. A REST API takes a webhook without
  compute, and has its price for each request.
- The old framework is the cheapest of the designs, because it does less: it has no archive, drops
  no duplicates and writes no metrics. A function for each webhook that does what this project does
  costs more than twice as much at 1 KB, most of it in one write to S3 for each event.
- Batches are why the fan-out costs little: one call for up to 500 events, one SQS request for up to
  ten, one archive object for a batch and source.
- MozDef's own reading (a receive for ten messages, a delete for each) is billed to the account of
  the queue, so it is in every column.
- The access log is a line for each request. It holds what a body-less record of a denied request
  can hold, and grows with the rate; its retention is a month.
- A polled source has no front door: its events cost what a stream, the fan-out, the table and the
  queue cost, plus a call of the poller a minute for each feed (about 43,800 a month).
- `ingest: receiver` adds a Lambda call for each request: see `docs/handshakes.md`.
"""


def document(prices: PriceList) -> str:
    """Return the page."""
    parts = [_HEAD.format(region=prices.region, date=prices.date)]
    for size in SIZES:
        workloads = [Workload(rate, size) for rate in RATES]
        parts.append(f"\n## Events of {size // 1_024} KB\n")
        parts += ["\nDollars a month:\n", _compare(workloads, prices, lambda b, _: b.dollars)]
        parts += ["\nDollars a million events:\n", _compare(workloads, prices, _per_million)]
    parts.append(_READING)
    parts.append("\n## Part by part\n\nThis design, on-demand stream, 1 KB, dollars a month:\n")
    parts.append(_parts([Workload(rate, SIZES[0]) for rate in RATES], prices))
    parts.append(_needed(prices))
    parts.append(_limits(prices))
    parts.append("\n## Sources of the prices\n\n")
    parts += [f"- {source}\n" for source in prices.sources]
    return "".join(parts)


def _per_million(bill: Bill, workload: Workload) -> float:
    return bill.per_million(workload)


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table whose columns but the first are numbers."""
    lines = [f"| {' | '.join(columns)} |", "|---|" + "---:|" * (len(columns) - 1)]
    return "\n" + "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)]) + "\n"


def _compare(
    workloads: Sequence[Workload], prices: PriceList, give: Callable[[Bill, Workload], float]
) -> str:
    bills = [all_bills(workload, prices) for workload in workloads]
    rows = [
        (
            column[0].design,
            *(
                dollars(give(bill, workload))
                for bill, workload in zip(column, workloads, strict=True)
            ),
        )
        for column in zip(*bills, strict=True)
    ]
    return table(("design", *_headings(workloads)), rows)


def _headings(workloads: Iterable[Workload]) -> Iterator[str]:
    return (f"{workload.events_per_second:,.0f}/s" for workload in workloads)


def _parts(workloads: Sequence[Workload], prices: PriceList) -> str:
    bills = [all_bills(workload, prices)[0] for workload in workloads]
    rows = [
        (lines[0].part, *(dollars(line.dollars) for line in lines))
        for lines in zip(*(bill.lines for bill in bills), strict=True)
    ]
    total = ("**all**", *(f"**{dollars(bill.dollars)}**" for bill in bills))
    return table(("part", *_headings(workloads)), [*rows, total])


def _needed(prices: PriceList) -> str:
    rows = []
    for size in SIZES:
        for rate in RATES:
            workload = Workload(rate, size)
            count = shards(workload, prices, headroom=prices.assume("headroom"))
            rows.append(
                (
                    f"{rate:,}/s of {size // 1_024} KB",
                    f"{count:,}",
                    f"{concurrency(workload, prices, count):,}",
                    f"{rate * (1 - workload.duplicates):,.0f}",
                    f"{rate / 2:,.0f}",
                )
            )
    text = (
        "\n## What a rate needs\n\nShards with the headroom of the data file, invocations at once, "
        "and units a second of the table, on average:\n"
    )
    columns = ("rate", "shards", "invocations", "table writes", "table reads")
    return text + table(columns, rows)


def _limits(prices: PriceList) -> str:
    lines = ["\n## Where AWS's limits bite\n\nQuotas of a new account, and the first rate of the "]
    lines.append("tables above (1 KB, 10 KB) at which each is too small:\n")
    rows = []
    names = [need.what for need in needs(Workload(1, 1_024), prices)]
    for place, name in enumerate(names):
        found = []
        for size in SIZES:
            bitten = [rate for rate in RATES if needs(Workload(rate, size), prices)[place].bites]
            found.append(f"{bitten[0]:,}/s" if bitten else "none")
        need = needs(Workload(1, 1_024), prices)[place]
        rows.append((name, f"{need.limit:,.0f}", *found, need.then))
    lines.append(table(("what", "quota", "1 KB", "10 KB", "what to do then"), rows))
    return "".join(lines)


def dollars(amount: float) -> str:
    """Return dollars as text: cents only where they matter."""
    return f"{amount:,.0f}" if amount >= 100 else f"{amount:,.2f}"
