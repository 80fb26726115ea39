"""Messages of Amazon SNS as proofs of themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from pipeline.event.proofs.sns import SnsMessage
from settings.source.proofs import ProofSettings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from settings.source.model import Source

_SnsKind = type[SnsMessage]
_TopicArn = Annotated[
    str,
    Field(
        pattern=r"^arn:aws(-cn|-us-gov)?:sns:[a-z]{2}(-[a-z]+)+-\d{1,2}:\d{12}:"
        r"([A-Za-z0-9_.-]{1,256}|[A-Za-z0-9_-]{0,255}\*)$"
    ),
]


class SnsAuthentication(ProofSettings):
    """A message that SNS signed, of a topic that is named here.

    A request to confirm a subscription is answered by the receiver, once it is verified.
    """

    type: Literal["sns"]
    topics: tuple[_TopicArn, ...] = Field(
        min_length=1,
        max_length=100,
        description="the ARNs of the topics that may send; a name can end with '*'",
    )
    max_age_seconds: int = Field(
        default=7_200,
        ge=60,
        le=86_400,
        description="by the message's Timestamp; SNS tries for an hour at the most",
    )

    @property
    def parameter(self) -> str:
        """SNS has no secret: its certificates are at addresses that follow from the topics."""
        return ""

    @property
    def said(self) -> str:
        """How a sender proves who it is, in one sentence."""
        return f"the signature of Amazon SNS, of {', '.join(self.topics)}"

    @property
    def compiled_kind(self) -> _SnsKind:
        """The declaration that has these settings."""
        return SnsMessage

    def faults_of(self, source: Source) -> Iterator[tuple[str, str]]:
        """Return what of the source's other settings does not go with it."""
        if "text/plain" not in source.content_types and "*/*" not in source.content_types:
            yield "content_types", "must have text/plain: SNS sends its JSON so"
        if source.body is not None and source.body.format != "json":
            yield "body.format", "is json: what SNS signs is read as that"
