"""`mozdef-ef cost`: what a rate costs on AWS, part by part, what it needs, and what is cheapest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer
import yaml

from toolbox.costs.capacity import needs
from toolbox.costs.choices import LEVERS, StageChoices
from toolbox.costs.designs import all_bills
from toolbox.costs.document import document, dollars
from toolbox.costs.prices import load_prices
from toolbox.costs.suggesting import suggest
from toolbox.costs.workload import CostCase, Workload
from toolbox.project.finding import find_project
from toolbox.project.next_steps import choice
from toolbox.terminal.output import DONE, console, print_json, print_table, print_text

if TYPE_CHECKING:
    from settings.deployment import Deployment
    from toolbox.costs.bills import Bill
    from toolbox.costs.suggesting import Suggestion


def cost(
    *,
    events_per_second: Annotated[
        float, typer.Option(min=0.001, max=10_000_000, help="Events a second, on average.")
    ] = 1_000.0,
    size: Annotated[
        int, typer.Option("--bytes", min=1, max=1_000_000, help="Bytes of an event's body.")
    ] = 1_024,
    duplicates: Annotated[
        float, typer.Option(min=0.0, max=0.99, help="The share of events that are duplicates.")
    ] = 0.02,
    suggested: Annotated[
        bool,
        typer.Option("--suggest", help="The cheapest settings of a stage, and what each trades."),
    ] = False,
    keep: Annotated[
        list[str] | None,
        typer.Option(help="With --suggest: a setting that stays at its default, such as web_acl."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
    as_document: Annotated[
        bool, typer.Option("--document", help="Print docs/cost.md, for the usual rates and sizes.")
    ] = False,
) -> None:
    """Reckon what a rate of events costs in a month, beside other designs.

    With --stage it reckons with the settings of that stage, else with every default. List prices
    and assumptions are in toolbox/costs/prices.yaml, with where each price was found again. It is
    arithmetic: nothing is asked of AWS.
    """
    prices, project = load_prices(), find_project()
    choices = StageChoices()
    # STAGE may be set for others; where no settings are, it names nothing.
    if project.stage_is_named and (choice.stage or project.config.is_dir()):
        project.say()
        choices = _choices_of(project.deployment())
    case = CostCase(Workload(events_per_second, size, duplicates), prices, choices)
    if as_document:
        print_text(document(prices))
    elif suggested:
        found = suggest(case, _kept(keep or []))
        _print_suggestion(found) if not as_json else print_json(_plain_suggestion(found))
    elif as_json:
        print_json(_plain(case))
    else:
        _print(case)
    raise typer.Exit(DONE)


def _choices_of(stage: Deployment) -> StageChoices:
    """Return what of a stage's settings has a price."""
    return StageChoices(
        door=stage.door,
        web_acl=stage.web_acl is not False,
        stream=stage.stream.mode,
        table=stage.table.mode,
        access_log=stage.access_log,
        system_log=stage.receiver.system_log,
        enhanced_fan_out=stage.fan_out.enhanced_fan_out,
        fan_out_window=stage.fan_out.batching_window_seconds,
        archiver_window=stage.archiver.batching_window_seconds,
        cold_after_days=stage.archive.cold_after_days,
    )


def _kept(keys: list[str]) -> list[str]:
    known = [lever.key for lever in LEVERS]
    if odd := sorted(set(keys) - set(known)):
        raise typer.BadParameter(f"{odd[0]}: expected one of {', '.join(known)}")
    return keys


def _print(case: CostCase) -> None:
    _print_workload(case)
    bills = all_bills(case)
    print_table(
        "Dollars",
        ("design", "a month", "a million events"),
        [
            (bill.design, dollars(bill.dollars), dollars(bill.per_million(case.workload)))
            for bill in bills
        ],
    )
    _print_parts(bills[0])
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
            for need in needs(case)
        ],
    )


def _print_suggestion(found: Suggestion) -> None:
    workload = found.case.workload
    _print_workload(found.case)
    print_table(
        "Dollars",
        ("settings", "a month", "a million events"),
        [
            (bill.design, dollars(bill.dollars), dollars(bill.per_million(workload)))
            for bill in (found.usual, found.bill)
        ],
    )
    print_table(
        "What is not at its default",
        ("setting", "value", "saves a month", "trades"),
        [
            (change.lever.key, str(change.value), dollars(change.saves), change.lever.trade)
            for change in found.changes
        ],
    )
    _print_parts(found.bill)
    print_text("# For config/<stage>.yaml:\n" + yaml.safe_dump(found.settings(), sort_keys=False))


def _print_workload(case: CostCase) -> None:
    workload, prices = case.workload, case.prices
    console.print(
        f"{workload.events_per_second:,g} events/s of {workload.size:,} bytes, "
        f"{workload.events:,.0f} a month. List prices of {prices.region}, {prices.date}."
    )


def _print_parts(bill: Bill) -> None:
    print_table(
        f"Part by part: {bill.design}",
        ("part", "amount in a month", "unit", "dollars"),
        [
            (line.part, f"{line.amount:,.0f}", line.unit, dollars(line.dollars))
            for line in bill.lines
        ],
    )


def _plain(case: CostCase) -> dict[str, Any]:
    return {
        **_plain_workload(case),
        "designs": [_bill(bill, case.workload) for bill in all_bills(case)],
        "needs": [
            {"what": need.what, "amount": need.amount, "quota": need.limit, "bites": need.bites}
            for need in needs(case)
        ],
    }


def _plain_suggestion(found: Suggestion) -> dict[str, Any]:
    return {
        **_plain_workload(found.case),
        "settings": found.settings(),
        "changes": [
            {
                "key": change.lever.key,
                "value": change.value,
                "saves": round(change.saves, 2),
                "trade": change.lever.trade,
            }
            for change in found.changes
        ],
        "default": _bill(found.usual, found.case.workload),
        "suggested": _bill(found.bill, found.case.workload),
    }


def _plain_workload(case: CostCase) -> dict[str, Any]:
    return {
        "date": case.prices.date.isoformat(),
        "region": case.prices.region,
        "events_per_second": case.workload.events_per_second,
        "bytes": case.workload.size,
        "events": case.workload.events,
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
