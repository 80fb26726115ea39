"""`mozdef-ef replay --dry-run`: what would be sent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

from pipeline.archive.listing import ArchiveListing
from pipeline.archive.objects import Objects
from pipeline.replay.engine import Replayer
from pipeline.replay.selection import measure, select
from toolbox.cli.replay_history import OBJECTS_AHEAD
from toolbox.cli.replay_run import default_rate, exit_if_nothing_fits
from toolbox.replaying.counts import MEANINGS, known_before
from toolbox.replaying.dry_run import DryRun
from toolbox.terminal.archived import event_document
from toolbox.terminal.output import console, errors, print_json, print_table, progress_bar
from toolbox.terminal.stopping import STOPPED, stopping

if TYPE_CHECKING:
    from toolbox.cli.replay_run import ReplayPlan

_BODY = 200


def dry_run(plan: ReplayPlan, *, as_json: bool) -> None:
    """Count what a job would send by source, reason and hour, and show some of it.

    Raises
    ------
    typer.Exit
        With 130 after Ctrl-C.
    """
    s3, bucket = plan.where.client("s3"), plan.where.archive_bucket
    listing, sink = ArchiveListing(s3, bucket), DryRun()
    with errors.status("listing the archive"):
        count, size = measure(listing, plan.wanted)
    if not as_json:
        errors.print(
            f"dry run of {count:,} objects, {size / 1e6:,.1f} MB, and of the ledger of their hours"
        )
    history = plan.history()
    with progress_bar(in_bytes=True) as bar, stopping() as stop:
        task = bar.add_task("dry run", total=size or None, rate="")

        def show(one: Replayer) -> None:
            matched = f"{one.counts['matched']:,} matched"
            bar.update(task, completed=one.read_bytes, rate=matched)

        replayer = Replayer(
            plan.job,
            Objects(s3, bucket, objects_ahead=OBJECTS_AHEAD),
            sink,
            plan.wanted,
            plan.types,
            history=history,
            save=lambda _: None,
            stop=stop,
            progress=show,
        )
        ended = replayer.run(select(listing, plan.wanted))
    document = _document(plan, sink)
    if as_json:
        print_json(document)
    else:
        _print(document)
    if not ended:
        raise typer.Exit(STOPPED)
    exit_if_nothing_fits(plan.job)


def _document(plan: ReplayPlan, sink: DryRun) -> dict[str, Any]:
    counts = {name: plan.job.counts.get(name, 0) for name in MEANINGS}
    rate, size = default_rate(plan.where)
    asked = plan.job.options.get("rate")
    would = counts.pop("sent")
    seconds = would / float(asked) if asked else max(would / rate, sink.size / size)
    return {
        "would_send": would,
        "bytes": sink.size,
        "seconds": round(seconds, 1),
        "counts": counts,
        "sent_again": counts["sent_again"],
        "delivered_before": counts["delivered"] + counts["partly_delivered"],
        "before": plan.job.before,
        "groups": [
            {"kind": kind, "source": source, "reason": reason, "hour": hour, "events": number}
            for (kind, source, reason, hour), number in sorted(sink.groups.items())
        ],
        "sample": [event_document(event, 0, _BODY) for event in sink.sample],
        "problems": plan.job.problems,
    }


def _print(document: dict[str, Any]) -> None:
    groups = [
        (one["kind"], one["source"], one["reason"], one["hour"], one["events"])
        for one in document["groups"]
    ]
    print_table(
        f"{document['would_send']:,} events would be sent, {document['bytes'] / 1e6:,.1f} MB, "
        f"in about {document['seconds']:,.0f} s, "
        f"{document['sent_again']:,} of them again; {document['delivered_before']:,} more were "
        "delivered before and would be left out",
        ("where", "source", "reason", "hour", "events"),
        groups,
    )
    rows = [(name, number, MEANINGS[name]) for name, number in document["counts"].items() if number]
    print_table("Counts", ("count", "events", "meaning"), rows)
    for text in known_before(document["before"]):
        console.print(text, style="yellow")
    for event in document["sample"]:
        line = f"{event['arrived']} {event['source']} {event['id']} {event['reason']}"
        console.print(line, style="bold")
        console.lines(str(event.get("body", event.get("record"))), prefix="  | ")
    for problem in document["problems"][:10]:
        text = f"{problem['what']}: {problem['key']} line {problem['line']}: "
        console.print(text + problem["explanation"], style="yellow")
