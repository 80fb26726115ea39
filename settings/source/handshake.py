"""How a sender sees that an address is the receiver's own, as `source.yaml` describes it."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from settings.source.base import FieldPath, HeaderName, Model


class GetHandshake(Model):
    """A GET whose header is given back in a JSON object; the front door answers by itself."""

    header: HeaderName
    field: str = Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")


class PostHandshake(Model):
    """A signed POST that asks for an answer at once; the receiver gives it.

    The signature is checked first: an answer with an HMAC for anyone who asks would sign forgeries.
    """

    path: FieldPath = Field(description="path in the body that tells a handshake from an event")
    equals: str = Field(min_length=1, description="what stands there in a handshake")
    challenge: FieldPath = Field(description="path of the challenge in the body")
    answer: dict[str, Literal["$challenge", "$hmac"]] = Field(
        min_length=1,
        description="the answer's JSON object; $hmac is the hex HMAC-SHA-256 of the challenge with "
        "the signing secret",
    )


class HandshakeSettings(Model):
    """The handshakes of one sender."""

    get: GetHandshake | None = None
    post: PostHandshake | None = None

    @model_validator(mode="after")
    def _one(self) -> HandshakeSettings:
        if self.get is None and self.post is None:
            raise ValueError("give 'get', 'post' or both")
        return self
