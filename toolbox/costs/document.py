"""Writes `docs/cost.md` from the data file."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from toolbox.costs.capacity import concurrency, needs
from toolbox.costs.choices import LEVERS, StageChoices
from toolbox.costs.designs import WAYS, all_bills, this_design
from toolbox.costs.page_text import (
    DOORS,
    FLOOR,
    HEAD,
    HTTP,
    OTHER_SETTINGS,
    READING,
    SETTINGS,
)
from toolbox.costs.prices import MILLION, PriceList
from toolbox.costs.suggesting import suggest
from toolbox.costs.workload import CostCase, Workload

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from toolbox.costs.bills import Bill

RATES = (10, 1_000, 10_000, 100_000)
SIZES = (1_024, 10_240)
#: Dollars a million events, at `TARGET_RATE` of 1 KB.
TARGET, TARGET_RATE = 3.60, 1_000
_GUARDED, _UNGUARDED = ("door", "web_acl"), ("door",)


def document(prices: PriceList) -> str:
    """Return the page."""
    parts = [HEAD.format(region=prices.region, date=prices.date), _floor(prices)]
    for size in SIZES:
        workloads = [Workload(rate, size) for rate in RATES]
        parts.append(f"\n## Events of {size // 1_024} KB\n")
        parts += ["\nDollars a month:\n", _compare(workloads, prices, lambda b, _: b.dollars)]
        parts += ["\nDollars a million events:\n", _compare(workloads, prices, _per_million)]
    parts += [_reading(prices), SETTINGS, _settings(prices), _other_settings(prices)]
    parts.append(_doors(prices))
    for name, kept in (
        ("every default", None),
        ("the cheapest settings behind a REST API", _GUARDED),
    ):
        parts.append(f"\n## Part by part: {name}\n\nEvents of 1 KB, dollars a month:\n")
        parts.append(_parts([Workload(rate, SIZES[0]) for rate in RATES], prices, kept))
    parts += [_needed(prices), _limits(prices), _prices(prices)]
    return "".join(parts)


def _at_target(prices: PriceList) -> CostCase:
    return CostCase(Workload(TARGET_RATE, SIZES[0]), prices)


def _part(bill: Bill, part: str, workload: Workload) -> float:
    return sum(line.dollars for line in bill.lines if line.part == part) / workload.events * MILLION


def _floor(prices: PriceList) -> str:
    case = _at_target(prices)
    workload = case.workload
    usual = this_design(case)
    guarded, unguarded, any_door = (
        suggest(CostCase(workload, prices), kept) for kept in (_GUARDED, _UNGUARDED, ())
    )
    http, paced = StageChoices(door="http_api"), StageChoices(door="http_api", table="provisioned")
    rows = [
        ("every default", usual),
        ("the cheapest settings, REST API and web ACL kept", guarded.bill),
        ("the cheapest settings, REST API kept", unguarded.bill),
        ("an HTTP API, every other default", this_design(replace(case, choices=http))),
        ("the same, the table provisioned", this_design(replace(case, choices=paced))),
        ("the cheapest settings", any_door.bill),
    ]
    door, acl, reading = (
        _part(usual, part, workload) for part in ("REST API", "web ACL", "queue: MozDef reading")
    )
    return FLOOR.format(
        rate=TARGET_RATE,
        target=TARGET,
        table=table(
            ("settings", "dollars a million"),
            [(name, dollars(bill.per_million(workload))) for name, bill in rows],
        ),
        door=door,
        acl=acl,
        reading=reading,
        floor=door + acl + reading,
        missed=unguarded.bill.per_million(workload) - TARGET,
        batched=reading / 1.1 * 0.2,
        http=HTTP if any_door.case.choices.door == "http_api" else "",
    )


def _per_million(bill: Bill, workload: Workload) -> float:
    return bill.per_million(workload)


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table whose columns but the first are numbers."""
    lines = [f"| {' | '.join(columns)} |", "|---|" + "---:|" * (len(columns) - 1)]
    return "\n" + "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)]) + "\n"


def _compare(
    workloads: Sequence[Workload], prices: PriceList, give: Callable[[Bill, Workload], float]
) -> str:
    bills = [_shown(workload, prices) for workload in workloads]
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


def _shown(workload: Workload, prices: PriceList) -> list[Bill]:
    usual, *others = all_bills(CostCase(workload, prices))
    guarded, any_door = (suggest(CostCase(workload, prices), kept).bill for kept in (_GUARDED, ()))
    return [
        usual,
        replace(guarded, design="the cheapest settings, REST API and web ACL kept"),
        replace(any_door, design="the cheapest settings"),
        *others,
    ]


def _headings(workloads: Iterable[Workload]) -> Iterator[str]:
    return (f"{workload.events_per_second:,.0f}/s" for workload in workloads)


def _reading(prices: PriceList) -> str:
    case = _at_target(prices)
    twice = replace(prices, assumptions={**prices.assumptions, "items_per_event": 2})
    more = {
        mode: this_design(replace(case, prices=twice, choices=choices)).per_million(case.workload)
        - this_design(replace(case, choices=choices)).per_million(case.workload)
        for mode, choices in (
            ("", StageChoices()),
            ("provisioned", StageChoices(table="provisioned")),
        )
    }
    return READING.format(
        second=more[""],
        second_provisioned=more["provisioned"],
        item=f"{prices.assume('dedupe_item_bytes'):.0f}",
    )


def _settings(prices: PriceList) -> str:
    rows = []
    for lever in LEVERS:
        for value in lever.values[1:]:
            saved = []
            for rate in RATES:
                case = CostCase(Workload(rate, SIZES[0]), prices)
                fields = {lever.field: value}
                other = replace(case, choices=replace(case.choices, **fields))
                saved.append(this_design(case).dollars - this_design(other).dollars)
            words = f"`{lever.key}: {_yaml(value)}` ({_yaml(lever.default)})"
            rows.append((words, *(dollars(one) for one in saved), lever.trade))
    columns = ("setting (its default)", *(f"{rate:,}/s" for rate in RATES), "trades")
    lines = [f"| {' | '.join(columns)} |", "|---|" + "---:|" * len(RATES) + "---|"]
    return "\n" + "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)]) + "\n"


def _yaml(value: object) -> str:
    return {"None": "null", "True": "true", "False": "false"}.get(str(value), str(value))


def _other_settings(prices: PriceList) -> str:
    case = _at_target(prices)
    full = this_design(replace(case, choices=StageChoices(access_log="full")))
    quiet = CostCase(Workload(RATES[0], SIZES[0]), prices)
    short = replace(prices, assumptions={**prices.assumptions, "receive_wait_seconds": 0})
    idle = this_design(replace(quiet, prices=short)).dollars - this_design(quiet).dollars
    more = full.per_million(case.workload) - this_design(case).per_million(case.workload)
    http = StageChoices(door="http_api")
    loud, own = (
        this_design(replace(case, choices=replace(http, system_log=kept))) for kept in (True, False)
    )
    checks = sum(line.dollars for line in loud.lines if line.part.startswith("receiver"))
    return OTHER_SETTINGS.format(
        full=more,
        idle=idle,
        quiet=loud.per_million(case.workload) - own.per_million(case.workload),
        received=checks / case.workload.events * MILLION,
    )


def _doors(prices: PriceList) -> str:
    case = _at_target(prices)
    rows = []
    for name, choices in WAYS.items():
        bill = this_design(replace(case, choices=choices))
        parts = ("HTTP API", "load balancer", "REST API", "web ACL")
        door = sum(_part(bill, part, case.workload) for part in parts)
        checks = sum(
            line.dollars for line in bill.lines if line.part.startswith(("receiver", "poller"))
        )
        each = checks / case.workload.events * MILLION
        total = bill.per_million(case.workload)
        rows.append((name, dollars(door), dollars(each), dollars(total)))
    http = this_design(replace(case, choices=StageChoices(door="http_api")))
    forged = [line for line in http.lines if line.part.startswith(("HTTP API", "receiver"))]
    return DOORS.format(
        table=table(("a million events", "door", "function", "all"), rows),
        forged=sum(line.dollars for line in forged) / case.workload.events * MILLION,
    )


def _parts(workloads: Sequence[Workload], prices: PriceList, kept: Sequence[str] | None) -> str:
    bills = [
        this_design(CostCase(workload, prices))
        if kept is None
        else suggest(CostCase(workload, prices), kept).bill
        for workload in workloads
    ]
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
            case = CostCase(Workload(rate, size), prices)
            items = rate * prices.assume("items_per_event")
            received = replace(case, choices=StageChoices(way="receiver"))
            rows.append(
                (
                    f"{rate:,}/s of {size // 1_024} KB",
                    f"{case.needed_shards:,}",
                    f"{concurrency(case, case.needed_shards):,}",
                    f"{concurrency(received, case.needed_shards):,}",
                    f"{items * (1 - case.workload.duplicates):,.0f}",
                    f"{items:,.0f}",
                )
            )
    text = (
        "\n## What a rate needs\n\nShards with the headroom of the data file, invocations at once, "
        "with the receiver and without, and units a second of the table, on average:\n"
    )
    columns = ("rate", "shards", "invocations", "with receiver", "table writes", "table reads")
    return text + table(columns, rows)


def _limits(prices: PriceList) -> str:
    lines = ["\n## Where AWS's limits bite\n\nQuotas of a new account, and the first rate of the "]
    lines.append("tables above (1 KB, 10 KB) at which each is too small:\n")
    rows = []
    for place, need in enumerate(needs(CostCase(Workload(1, 1_024), prices))):
        found = []
        for size in SIZES:
            cases = (CostCase(Workload(rate, size), prices) for rate in RATES)
            bitten = [one.workload.events_per_second for one in cases if needs(one)[place].bites]
            found.append(f"{bitten[0]:,.0f}/s" if bitten else "none")
        rows.append((need.what, f"{need.limit:,.0f}", *found, need.then))
    lines.append(table(("what", "quota", "1 KB", "10 KB", "what to do then"), rows))
    return "".join(lines)


def _prices(prices: PriceList) -> str:
    rows = [
        (
            name.replace("_", " "),
            "; ".join(_tier(end, each) for end, each in price.dollars),
            price.per,
            f"[{prices.pages[price.page].title}]({prices.pages[price.page].url})",
            prices.references[price.seen] if price.seen else "**not found again**",
        )
        for name, price in prices.prices.items()
    ]
    columns = ("price", "dollars", "for each", "AWS's page", f"found again on {prices.date} in")
    lines = [f"| {' | '.join(columns)} |", "|---|---:|---|---|---|"]
    text = (
        "\n## Prices, and where they were found\n\nEntered by hand from AWS's pages. What was "
        "found again is of us-east-1, whose prices these services share with us-west-2 as far as "
        "is known; data out was found for us-west-2 itself.\n"
    )
    return text + "\n" + "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)]) + "\n"


def _tier(end: float | None, each: float) -> str:
    written = f"{each:.10f}".rstrip("0")
    digits = max(len(written.partition(".")[2]), 2)
    return f"{each:.{digits}f}" + (f" to {end:,.0f}" if end else "")


def dollars(amount: float) -> str:
    """Return dollars as text: cents only where they matter."""
    return f"{amount:,.0f}" if abs(amount) >= 100 else f"{amount:,.2f}"
