"""`mozdef-ef cost`: what a rate costs on AWS, part by part, and what it needs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from toolbox.costs.capacity import needs
from toolbox.costs.designs import all_bills
from toolbox.costs.document import document, dollars
from toolbox.costs.prices import load_prices
from toolbox.costs.workload import Workload
from toolbox.terminal.output import DONE, console, print_json, print_table, print_text

if TYPE_CHECKING:
    from toolbox.costs.designs import Bill
    from toolbox.costs.prices import PriceList


def cost(
    events_per_second: Annotated[
        float, typer.Option(min=0.001, max=10_000_000, help="Events a second, on average.")
    ] = 1_000.0,
    size: Annotated[
        int, typer.Option("--bytes", min=1, max=1_000_000, help="Bytes of an event's body.")
    ] = 1_024,
    duplicates: Annotated[
        float, typer.Option(min=0.0, max=0.99, help="The share of events that are duplicates.")
    ] = 0.02,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
    as_document: Annotated[
        bool, typer.Option("--document", help="Print docs/cost.md, for the usual rates and sizes.")
    ] = False,
) -> None:
    """Reckon what a rate of events costs in a month, beside two other designs.

    List prices and assumptions are in toolbox/costs/prices.yaml, with their date. It is
    arithmetic: nothing is asked of AWS.
    """
    prices = load_prices()
    workload = Workload(events_per_second, size, duplicates)
    if as_document:
        print_text(document(prices))
    elif as_json:
        print_json(_plain(workload, prices))
    else:
        _print(workload, prices)
    raise typer.Exit(DONE)


def _print(workload: Workload, prices: PriceList) -> None:
    bills = all_bills(workload, prices)
    console.print(
        f"{workload.events_per_second:,g} events/s of {workload.size:,} bytes, "
        f"{workload.events:,.0f} a month. List prices of {prices.region}, {prices.date}."
    )
    print_table(
        "Dollars",
        ("design", "a month", "a million events"),
        [
            (bill.design, dollars(bill.dollars), dollars(bill.per_million(workload)))
            for bill in bills
        ],
    )
    first = bills[0]
    print_table(
        f"Part by part: {first.design}",
        ("part", "amount in a month", "unit", "dollars"),
        [
            (line.part, f"{line.amount:,.0f}", line.unit, dollars(line.dollars))
            for line in first.lines
        ],
    )
    print_table(
        "What it needs",
        ("what", "amount", "quota of a new account", ""),
        [
            (
                need.what,
                f"{need.amount:,.0f}",
                f"{need.limit:,.0f}",
                need.then if need.bites else "",
            )
            for need in needs(workload, prices)
        ],
    )


def _plain(workload: Workload, prices: PriceList) -> dict[str, Any]:
    return {
        "date": prices.date.isoformat(),
        "region": prices.region,
        "events_per_second": workload.events_per_second,
        "bytes": workload.size,
        "events": workload.events,
        "designs": [_bill(bill, workload) for bill in all_bills(workload, prices)],
        "needs": [
            {"what": need.what, "amount": need.amount, "quota": need.limit, "bites": need.bites}
            for need in needs(workload, prices)
        ],
    }


def _bill(bill: Bill, workload: Workload) -> dict[str, Any]:
    return {
        "design": bill.design,
        "dollars": round(bill.dollars, 2),
        "dollars_per_million_events": round(bill.per_million(workload), 4),
        "lines": [
            {
                "part": line.part,
                "amount": line.amount,
                "unit": line.unit,
                "dollars": round(line.dollars, 4),
            }
            for line in bill.lines
        ],
    }
