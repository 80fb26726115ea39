"""What the receiver knows of a source's handshakes and answers: plain data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

#: `header`, `query` or `body`, and the lower-case name, the name, or the path.
Place = tuple[str, Any]


@dataclass(frozen=True, kw_only=True, eq=False)
class AnswerForm:
    """An answer: a text, or a JSON object, in which `$…` stands for what is known only then."""

    status: int
    text: str | None
    object: Any | None
    media_type: str
    headers: Mapping[str, str]


@dataclass(frozen=True, kw_only=True, eq=False)
class ChallengeHmac:
    """How the HMAC of a challenge is made and written."""

    algorithm: str
    encoding: str
    prefix: str


@dataclass(frozen=True, kw_only=True, eq=False)
class Handshake:
    """Which requests are a handshake, how they are proved, and what is answered."""

    method: Annotated[str, "when.method"]
    #: Each place, with the text that must stand there; None where any will do.
    conditions: Annotated[tuple[Any, ...], "when.conditions"]
    proof: Annotated[str, "proven_by"]
    token: Annotated[Place | None, "token.plan"]
    challenge: Annotated[Place | None, "challenge.plan"]
    learn: Annotated[Place | None, "learn.plan"]
    hmac: ChallengeHmac
    sha256: str
    answer: AnswerForm
