"""The model of a sample's file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from pipeline.event.outcomes import Reason
from settings.faults import refuse
from toolbox.sources.samples_as_sent import AsSent

if TYPE_CHECKING:
    from collections.abc import Iterator

Signing = Literal["current", "previous", "wrong", "missing", "stale", "several"]
#: What is said of a request before it is known that its proof fits.
_BEFORE_OR_OF_PROOF = frozenset(
    {
        Reason.MALFORMED_ENVELOPE,
        Reason.UNKNOWN_SOURCE,
        Reason.SECRET_UNAVAILABLE,
        Reason.BAD_SIGNATURE,
        Reason.STALE_SIGNATURE,
        Reason.TOO_LARGE,
        Reason.PROCESSING_ERROR,
    }
)


class Expectation(BaseModel):
    """How a sample must end."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    outcome: Literal["delivered", "rejected", "refused", "ignored", "answered"]
    reason: Reason | None = None
    status: int | None = Field(default=None, ge=400, le=599)
    events: int = Field(default=1, ge=1, description="how many events the request is split into")
    answer: dict[str, str] = Field(
        default_factory=dict, description="what the answer to a handshake must hold"
    )

    @property
    def proof_fits(self) -> bool:
        """Whether it ends so because the sender's proof was right, whatever became of its body."""
        if self.outcome == "rejected":
            return self.reason is not None and self.reason not in _BEFORE_OR_OF_PROOF
        return self.outcome in {"delivered", "ignored"}

    @model_validator(mode="after")
    def _complete(self) -> Expectation:
        refuse(self._wrong())
        return self

    def _wrong(self) -> Iterator[tuple[str, str]]:
        if (self.outcome == "rejected") != (self.reason is not None):
            yield "reason", "is given if and only if the outcome is 'rejected'"
        if (self.outcome == "refused") != (self.status is not None):
            yield "status", "is given if and only if the outcome is 'refused'"
        if self.answer and self.outcome != "answered":
            yield "answer", "is given only if the outcome is 'answered'"


def address_of(source: str) -> str:
    """Return what stands for a source's address, where nobody gave one."""
    return f"https://hooks.example.com/{source}"


class SampleFile(BaseModel):
    """One file in a source's `samples/`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    description: str = Field(min_length=1)
    method: Literal["GET", "HEAD", "OPTIONS", "POST", "PUT"] = "POST"
    query: str = Field(default="", max_length=8_000, description="as it is sent, without '?'")
    url: str | None = Field(
        default=None, description="the address that it was signed for; default: made up"
    )
    headers: dict[str, str] = Field(default_factory=dict)
    content_type: str = "application/json"
    body: str | None = None
    body_file: Path | None = None
    body_base64: str | None = None
    sign: Signing = "current"
    as_sent: AsSent | None = None
    expect: Expectation

    @model_validator(mode="after")
    def _consistent(self) -> SampleFile:
        if self.as_sent is not None:
            ours = {"sign", "headers", "content_type"} & self.model_fields_set
            refuse((key, "is not given beside 'as_sent', which has it") for key in sorted(ours))
        given = (self.body, self.body_file, self.body_base64)
        if sum(part is not None for part in given) != 1:
            refuse([("body", "give exactly one of 'body', 'body_file' and 'body_base64'")])
        return self
