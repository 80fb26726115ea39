"""Who wakes somebody: our own wrong secret does, and a stranger does not.

The alarms of the synthesized template are evaluated over made-up weeks, hour by hour.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from settings.deployment import Deployment
from settings.deployment_alarms import AlarmSettings
from tests.support.alarm_evaluation import Place, Series, holds, is_on, state_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tests.infra.conftest import Synthesized

SIGNED = """\
version: 1
title: A source whose sender signs
ingest: {ingest}
authentication:
  type: hmac
  header: X-Signature
  signed: "{{body}}"
headers: {{keep: [X-Signature]}}
"""
STACK = "MozDef-EF-ingest-test"
DAY, WEEK = 24, 168
START = WEEK + DAY
"""When something begins to go wrong: the alarms have seen more than a week."""
END = START + WEEK


def always(_: int) -> int:
    return 40


def never(_: int) -> int:
    return 0


def in_office_hours(hour: int) -> int:
    return 40 if hour // DAY % 7 < 5 and 9 <= hour % DAY < 18 else 0


def twice_a_day(hour: int) -> int:
    return int(hour % DAY in (10, 15))


def once_in_two_hours(hour: int) -> int:
    return hour % 2


RHYTHMS = (always, never, in_office_hours, twice_a_day, once_in_two_hours)


@dataclass
class Week:
    """What the alarms of one source make of its series."""

    stack: Synthesized
    source: str
    series: Series = field(default_factory=lambda: Series(END, {}))

    def put(self, name: str, hour: int, value: float, **more: str) -> None:
        dimensions = {"service": "ingest", "stage": "test", "source": self.source, **more}
        place: Place = (name, frozenset(dimensions.items()))
        self.series.values.setdefault(place, {})[hour] = value

    def fan_out(self, hour: int, good: int, bad: int, misshapen: int) -> None:
        """Write what the fan-out writes: counters of a source that had events, zeros included.

        Reasons that nothing was rejected for are not written, and so are missing.
        """
        if good or bad or misshapen:
            self.put("Received", hour, good + bad + misshapen)
            self.put("Rejected", hour, bad + misshapen)
        if bad:
            self.put("RejectedByReason", hour, bad, reason="bad_signature")
        if misshapen:
            self.put("RejectedByReason", hour, misshapen, reason="schema_violation")

    def receiver(self, hour: int, good: int, bad: int) -> None:
        """Write what the receiver writes: one counter for each answer that it gave."""
        if good:
            self.put("Accepted", hour, good)
        if bad:
            self.put("Denied", hour, bad)

    def alarms(self) -> dict[str, dict[str, Any]]:
        prefix = f"{STACK}-{self.source}-"
        every = self.stack.all("AWS::CloudWatch::Alarm").values()
        return {each["AlarmName"]: each for each in every if each["AlarmName"].startswith(prefix)}

    def on(self, hour: int) -> list[str]:
        return [name for name, alarm in self.alarms().items() if is_on(alarm, self.series, hour)]

    def without_data(self, hour: int) -> list[str]:
        states = {name: state_of(each, self.series, hour) for name, each in self.alarms().items()}
        return [name for name, state in states.items() if state == "INSUFFICIENT_DATA"]

    def tells(self, hour: int) -> list[str]:
        """Return the alarms that send a mail, whether they wake somebody or not."""
        alarms = self.alarms()
        on = [name for name in self.on(hour) if alarms[name].get("AlarmActions")]
        return [name.removeprefix(f"{STACK}-") for name in on]

    def waking(self, hours: Iterable[int] = range(START, END)) -> list[int]:
        """Return the hours at whose end somebody is woken because of this source."""
        (whole,) = self.stack.all("AWS::CloudWatch::CompositeAlarm").values()
        rule = whole["AlarmRule"]
        return [hour for hour in hours if holds(rule, self.on(hour), self.without_data(hour))]


@dataclass
class Weeks:
    """Makes two weeks of a source; in the second, something goes wrong."""

    stack: Synthesized

    def __call__(
        self,
        source: str,
        rhythm: Callable[[int], int],
        *,
        forged: int = 0,
        wrong_secret: bool = False,
        misshapen: int = 0,
    ) -> Week:
        week = Week(self.stack, source)
        for hour in range(END):
            late = hour >= START
            good = 0 if wrong_secret and late else rhythm(hour)
            bad = rhythm(hour) - good + (forged if late else 0)
            if source == "behind":
                # What the receiver turns away is not on the stream.
                week.receiver(hour, good, bad)
                bad = 0
            week.fan_out(hour, good, bad, misshapen if late else 0)
        return week


@pytest.fixture(scope="module")
def watched(
    synthesized: Callable[[Deployment], Synthesized], tmp_path_factory: pytest.TempPathFactory
) -> Weeks:
    folder = tmp_path_factory.mktemp("signed")
    for name, ingest in {"straight": "direct", "listed": "direct", "behind": "receiver"}.items():
        (folder / name).mkdir()
        (folder / name / "source.yaml").write_text(SIGNED.format(ingest=ingest))
    return Weeks(
        synthesized(
            Deployment(
                stage="test",
                service="ingest",
                sources=("straight", "listed", "behind", "generic"),
                source_directory=folder,
                alarms=AlarmSettings.model_validate({"silence_hours": {"listed": 66}}),
            )
        )
    )


@pytest.mark.parametrize(
    ("source", "rhythm"),
    [
        *(("straight", rhythm) for rhythm in RHYTHMS),
        *(("behind", rhythm) for rhythm in RHYTHMS),
        # One that never sends is silent for longer than is usual by its own settings.
        *(("listed", rhythm) for rhythm in RHYTHMS if rhythm is not never),
    ],
)
@pytest.mark.parametrize("forged", [3, 100_000])
def test_forgeries_wake_nobody_however_many_and_however_quiet_the_source(
    watched: Weeks, source: str, rhythm: Callable[[int], int], forged: int
) -> None:
    assert watched(source, rhythm, forged=forged).waking() == []


@pytest.mark.parametrize("source", ["straight", "listed", "behind"])
@pytest.mark.parametrize("forged", [0, 3, 100_000])
def test_a_wrong_secret_of_our_own_wakes_within_the_hour_where_events_come_each_hour(
    watched: Weeks, source: str, forged: int
) -> None:
    broken = watched(source, always, wrong_secret=True, forged=forged)
    assert broken.waking(range(START - DAY, START)) == []
    assert broken.waking()[:4] == [START, START + 1, START + 2, START + 3]


@pytest.mark.parametrize("source", ["straight", "behind"])
def test_a_wrong_secret_of_our_own_is_told_of_where_events_come_in_office_hours(
    watched: Weeks, source: str
) -> None:
    name = {"straight": "straight-bad-signatures", "behind": "behind-all-denied"}[source]
    broken = watched(source, in_office_hours, wrong_secret=True)
    first = next(hour for hour in range(START, END) if in_office_hours(hour))
    assert broken.tells(first) == [name]
    assert broken.tells(first - 1) == []
    assert broken.waking() == []


def test_a_wrong_secret_of_our_own_wakes_after_the_silence_that_the_settings_name(
    watched: Weeks,
) -> None:
    broken = watched("listed", in_office_hours, wrong_secret=True)
    last_good = max(hour for hour in range(START) if in_office_hours(hour))
    woken = broken.waking()
    assert woken
    assert woken[0] == next(hour for hour in range(last_good + 66, END) if in_office_hours(hour))


def test_a_changed_form_wakes_within_the_hour_whatever_the_rhythm(
    watched: Weeks,
) -> None:
    """Its events were verified, so no stranger sent them."""
    for rhythm in (never, twice_a_day):
        changed = watched("straight", rhythm, misshapen=3, forged=3)
        quiet = [hour for hour in range(START, END) if not rhythm(hour)]
        assert changed.waking() == quiet


def test_forgeries_beside_an_outage_of_the_sender_wake_for_four_hours_at_the_most(
    watched: Weeks,
) -> None:
    """What is left: a silence that is unusual for the source, whoever else sends."""

    def silent_for_a_day(hour: int) -> int:
        return 0 if START + 10 <= hour < START + 10 + DAY else 40

    beside = watched("straight", silent_for_a_day, forged=3)
    assert beside.waking() == [START + 10 + late for late in range(4)]


def test_what_no_stranger_can_send_still_wakes_by_itself(watched: Weeks) -> None:
    """The authorizer lets nobody in without the token, so what is rejected is the sender's."""
    assert watched("generic", never, misshapen=3).waking() == list(range(START, END))


def test_what_is_only_a_condition_tells_nobody(watched: Weeks) -> None:
    well = watched("straight", always)
    assert well.on(START) == [f"{STACK}-straight-steady"]
    assert well.tells(START) == []
    body: Any = next(
        each
        for name, each in well.stack.all("AWS::CloudWatch::Dashboard").items()
        if "perator" in name
    )["DashboardBody"]
    assert "steady" not in str(body)
