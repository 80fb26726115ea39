"""When someone is told: the part `alarms` of `config/<stage>.yaml`.

The reasons for the defaults are in `docs/operating.md`, alarm by alarm.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from settings.source.base import Model, SourceName

MOST_SILENCE_HOURS = 168
"""CloudWatch API reference, PutMetricAlarm: 604,800 s of periods of an hour or more."""

STEADY = "-steady"
"""How the name of an alarm ends that tells nobody: others count only while it is on."""

Email = Annotated[str, Field(pattern=r"^[^@\s,;<>\"]{1,64}@[A-Za-z0-9.-]{1,190}$")]
SilenceHours = Annotated[int, Field(ge=1, le=MOST_SILENCE_HOURS)]
# With periods of five minutes, an alarm looks back a day at most.
Minutes = Annotated[int, Field(ge=1, le=1_440)]


class AlarmSettings(Model):
    """Thresholds of the alarms, and who is told."""

    emails: tuple[Email, ...] = ()
    silence_hours: dict[SourceName, SilenceHours] = Field(default_factory=dict)
    fan_out_age_minutes: Minutes = 5
    archiver_age_minutes: Minutes = 15
    tickets: int = Field(default=1, ge=1)
    ticket_age_hours: int = Field(default=72, ge=1, le=335, description="SQS forgets after 336")
    delivery_age_minutes: Minutes = 15
    denied_per_minute: int = Field(default=10, ge=1)
    server_error_percent: float = Field(default=1.0, gt=0, le=100)
    throttled_requests: int = Field(default=1, ge=1, description="within five minutes")
    refused_events: int = Field(default=3, ge=1, description="within an hour, and none accepted")
    poll_lag_minutes: Annotated[int, Field(ge=5, le=10_080)] = 60
