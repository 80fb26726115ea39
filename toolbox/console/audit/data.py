"""The audit of a span that one page may take: the same as `mozdef-ef audit`, with bounds."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from pipeline.errors import PipelineError
from pipeline.replay.times import parse_time
from settings.source.loader import SourceError
from toolbox.audit.conclusion import conclude, next_command
from toolbox.audit.document import audit_document
from toolbox.audit.forecast import forecast
from toolbox.audit.join import OUTCOMES
from toolbox.audit.page import FAULTS_NAMED, named_faults, ways_of
from toolbox.audit.plan import AuditPlan, audit_here
from toolbox.audit.run import AuditSpan
from toolbox.project.next_steps import next_step
from toolbox.sources.on_demand import catalog_on_demand
from toolbox.terminal.nearest import unknown

if TYPE_CHECKING:
    from collections.abc import Mapping

    from toolbox.audit.conclusion import AuditConclusion
    from toolbox.audit.join import AuditReport
    from toolbox.console.scene import ConsoleScene

#: What a page waits for, by the forecast; whatever takes longer is for the command.
MOST_SECONDS, MOST_OBJECTS, MOST_HOURS = 20, 20_000, 24 * 366
_LONGEST_GRACE = 30 * 86_400


class AuditFormError(PipelineError):
    """What was asked of the page "Audit" cannot be done."""


@dataclass(frozen=True)
class AuditForm:
    """The form as it was filled in.

    Parameters
    ----------
    start, end : str
        Times as `parse_time` reads them.
    grace : str
        Seconds for which an event may still be on its way.
    asked : bool
        Whether it was filled in at all.
    """

    start: str = "24h"
    end: str = "0s"
    source: str = ""
    grace: str = "900"
    asked: bool = False

    @classmethod
    def of(cls, query: Mapping[str, str]) -> AuditForm:
        """Read the page's query."""
        plain = cls()
        return cls(
            query.get("from") or plain.start,
            query.get("to") or plain.end,
            query.get("source", ""),
            query.get("grace") or plain.grace,
            asked=bool(query),
        )

    def span(self, now: datetime) -> AuditSpan:
        """Return the span that is meant.

        Raises
        ------
        PipelineError
            When a time is none, or the span is empty or too long.
        """
        found = AuditSpan(
            parse_time(self.start, now), parse_time(self.end, now), self.source or None
        )
        if found.start >= found.end:
            raise AuditFormError("'from' must lie before 'to'")
        if found.end - found.start > timedelta(hours=MOST_HOURS):
            raise AuditFormError("a page audits a year at most; narrow the time")
        return found

    def grace_seconds(self) -> int:
        """Return the grace time.

        Raises
        ------
        AuditFormError
            When it is none.
        """
        if not self.grace.isdecimal() or not self.grace.isascii() or len(self.grace) > 8:
            raise AuditFormError(f"{self.grace[:20]!r} are no seconds; write 900 for a quarter")
        return min(int(self.grace), _LONGEST_GRACE)


@dataclass(frozen=True)
class AuditFound:
    """An audit that was made."""

    report: AuditReport
    span: AuditSpan
    fixed: AuditForm

    @property
    def verdict(self) -> AuditConclusion:
        """What it comes to."""
        return conclude(self.report)

    @property
    def ways(self) -> list[tuple[str, int]]:
        """What became of the events, and of how many."""
        return [one for one in ways_of(self.verdict) if one[1] or one[0] == "delivered"]

    @property
    def open_causes(self) -> list[tuple[str, int, str]]:
        """Cause, number and what to type about it."""
        found = self.verdict
        causes = [*found.left_open.items(), *found.quarantined.items()]
        return [(cause, number, next_command(cause, self.fixed.start)) for cause, number in causes]

    @property
    def accounts(self) -> list[tuple[str, tuple[int, ...]]]:
        """Source, what was received and each outcome; all of them last."""
        rows = [*sorted(self.report.counts.items()), ("all", self.report.totals)]
        each = ((name, tuple(counter[one] for one in OUTCOMES)) for name, counter in rows)
        return [(name, (sum(numbers), *numbers)) for name, numbers in each]

    @property
    def faults(self) -> list[tuple[str, str, str]]:
        """What is wrong, the event's id where it is one, and where."""
        return named_faults(self.report)


@dataclass(frozen=True)
class AuditView:
    """The page: a form, and what was found for it."""

    form: AuditForm
    sources: tuple[str, ...]
    found: AuditFound | None = None
    broken: tuple[str, ...] = ()
    outcomes: tuple[str, ...] = OUTCOMES
    named: int = FAULTS_NAMED

    def document(self) -> dict[str, Any]:
        """Return what `mozdef-ef audit --json` prints; the form alone where nothing was asked."""
        if self.found is None:
            return {"from": self.form.start, "to": self.form.end, "source": self.form.source}
        return audit_document(self.found.report, self.found.span)


def read_audit(scene: ConsoleScene, form: AuditForm) -> AuditView:
    """Audit what a form asks for.

    Raises
    ------
    PipelineError
        When it cannot be done, or would take longer than a page may.
    """
    folders = scene.folders()
    names = tuple(sorted(folders))
    if not form.asked:
        return AuditView(form, names)
    span, grace = form.span(datetime.now(UTC)), form.grace_seconds()
    if span.source and span.source not in folders and span.source not in scene.where.parameters:
        raise unknown("source", span.source, names)
    report, broken = _report(scene, span, grace)
    fixed = replace(
        form,
        start=span.start.isoformat(timespec="seconds"),
        end=span.end.isoformat(timespec="seconds"),
    )
    return AuditView(form, names, AuditFound(report, span, fixed), tuple(broken))


def _report(scene: ConsoleScene, span: AuditSpan, grace: int) -> tuple[AuditReport, list[str]]:
    try:
        with catalog_on_demand(scene.folders(), scene.where.parameters) as (catalog, broken):
            plan = AuditPlan(scene.where, span, grace, catalog)
            expected = forecast(plan.listing, span)
            if expected.objects > MOST_OBJECTS or expected.seconds > MOST_SECONDS:
                raise AuditFormError(
                    f"{expected}, which is more than a page reads ({MOST_OBJECTS:,} objects, "
                    f"{MOST_SECONDS} s); narrow the time, or run '{next_step('audit')}'"
                )
            return audit_here(plan, lambda _done, _all: None), broken
    except SourceError as error:
        raise AuditFormError(f"{error}") from None
