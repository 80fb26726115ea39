"""How a sender sees that an address is the receiver's own, as `source.yaml` describes it."""

from __future__ import annotations

import itertools
import json
import re
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, model_validator

from pipeline.event.fields import path_of
from settings.faults import refuse
from settings.source.base import FieldPath, HeaderName, Model, QueryName

if TYPE_CHECKING:
    from collections.abc import Iterator

_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
ECHO = re.compile(r"\$header\.[A-Za-z0-9-]{1,64}")
"""A header of the request that an answer gives back."""
#: What stands in an answer for what is known only then.
_VALUES = ("$challenge", "$hmac", "$sha256")
#: A text of the settings in a header or a body: printable ASCII.
FixedText = Annotated[str, Field(max_length=1_000, pattern=r"^[ -~]*$")]
JsonValue = FixedText | int | bool
#: What must stand somewhere; `true` where it only has to be there.
Wanted = FixedText | int | bool


class ValuePlace(Model):
    """A value in a header, a parameter of the query, or at a path in a JSON body."""

    header: HeaderName | None = None
    query: QueryName | None = None
    path: FieldPath | None = None

    @model_validator(mode="after")
    def _one_of(self) -> ValuePlace:
        if sum(one is not None for one in (self.header, self.query, self.path)) != 1:
            raise ValueError("give one of 'header', 'query' and 'path'")
        return self

    @property
    def plan(self) -> tuple[str, Any]:
        """Where it is, as the receiver looks for it."""
        if self.header is not None:
            return "header", self.header.lower()
        if self.query is not None:
            return "query", self.query
        return "body", path_of(self.path or "")


class When(Model):
    """Which requests are a handshake: all that is named must be there, or be equal."""

    method: Literal["GET", "HEAD", "OPTIONS", "POST"] = "POST"
    header: dict[HeaderName, Wanted] = Field(default_factory=dict)
    query: dict[QueryName, Wanted] = Field(default_factory=dict)
    body: dict[FieldPath, Wanted] = Field(default_factory=dict)

    @property
    def conditions(self) -> tuple[tuple[tuple[str, Any], str | None], ...]:
        """Each place with the text that must stand there; None where any will do."""
        kinds = {"header": self.header, "query": self.query, "path": self.body}
        return tuple(
            (ValuePlace.model_validate({kind: name}).plan, _text_of(wanted))
            for kind, named in kinds.items()
            for name, wanted in named.items()
        )

    @model_validator(mode="after")
    def _known_by_something(self) -> When:
        if self.method == "POST" and not (self.header or self.query or self.body):
            raise ValueError("a POST is an event unless 'header', 'query' or 'body' says otherwise")
        if self.method != "POST" and self.body:
            raise ValueError(f"a {self.method} has no 'body'")
        return self


def _text_of(wanted: Wanted) -> str | None:
    return None if wanted is True else "false" if wanted is False else str(wanted)


class HmacOfChallenge(Model):
    """An HMAC of the challenge with the source's key."""

    algorithm: Literal["sha1", "sha256", "sha384", "sha512"] = "sha256"
    encoding: Literal["hex", "base64", "base64url"] = "hex"
    prefix: FixedText = ""


class FixedAnswer(Model):
    """What the sender gets: a text, or a JSON object, and headers."""

    status: int = Field(default=200, ge=200, le=299)
    text: str | None = Field(default=None, max_length=4_000)
    content_type: str | None = Field(
        default=None,
        pattern=r"^[a-z0-9.+-]+/[a-z0-9.+-]+(; ?charset=[A-Za-z0-9-]+)?$",
        description="of 'text'; default: text/plain",
    )
    object: dict[str, JsonValue] | None = Field(default=None, alias="json", max_length=20)
    headers: dict[HeaderName, FixedText] = Field(default_factory=dict, max_length=10)

    @property
    def values(self) -> list[str]:
        """The texts that stand for what is known only then."""
        given = [self.text, *(self.object or {}).values(), *self.headers.values()]
        return [one for one in given if isinstance(one, str) and one.startswith("$")]

    @property
    def body(self) -> str:
        """The body as it is written, where nothing is filled in."""
        if self.text is not None:
            return self.text
        return "" if self.object is None else json.dumps(self.object)

    @property
    def is_evaluated(self) -> bool:
        """Whether API Gateway would take some of it for more than text."""
        in_headers = any("'" in one for one in self.headers.values())
        written = [self.body, *self.headers.values()]
        return in_headers or any(character in one for one in written for character in "$#\\")

    @property
    def media_type(self) -> str:
        """The content type of the answer."""
        default = "application/json" if self.text is None else "text/plain"
        return self.content_type or default

    @model_validator(mode="after")
    def _one_body(self) -> FixedAnswer:
        if self.text is not None and self.object is not None:
            raise ValueError("give either 'text' or 'json'")
        if self.text is None and self.content_type is not None:
            raise ValueError("'content_type' is that of 'text'")
        return self


class HandshakeRule(Model):
    """One kind of request that is answered at once, and is no event."""

    when: When
    proof: Literal["none", "token", "signature"] | None = Field(
        default=None,
        description="'signature': what 'authentication' says, as for an event; 'token': a value "
        "equals a line of the parameter auth_token; default: 'signature' for POST, else 'none'",
    )
    token: ValuePlace | None = Field(default=None, description="where the token of 'proof' is")
    challenge: ValuePlace | None = None
    hmac: HmacOfChallenge = HmacOfChallenge()
    sha256: str = Field(
        default="{challenge}",
        description="what $sha256 is the hex hash of; {challenge}, {token} (the parameter "
        "auth_token) and {url} are filled in",
    )
    learn: ValuePlace | None = Field(
        default=None,
        description="a secret that the sender makes up, kept while 'secret learn' lets it",
    )
    answer: FixedAnswer = FixedAnswer()

    @property
    def proven_by(self) -> Literal["none", "token", "signature"]:
        """The proof, with its default."""
        return self.proof or ("signature" if self.when.method == "POST" else "none")

    @property
    def needs_token(self) -> bool:
        """Whether the parameter auth_token is read for it."""
        return self.proven_by == "token" or (
            "$sha256" in self.answer.values and "{token}" in self.sha256
        )

    @property
    def mirror(self) -> tuple[str, str] | None:
        """Header and field, where a GET needs no function: one goes into the other."""
        fields, answer = self.answer.object or {}, self.answer
        plain = self.when == When(method="GET") and not answer.headers and answer.status == 200
        if plain and self.proven_by == "none" and len(fields) == 1 and self.challenge:
            ((name, value),) = fields.items()
            if value == "$challenge" and self.challenge.header:
                return self.challenge.header, name
        return None

    @model_validator(mode="after")
    def _consistent(self) -> HandshakeRule:
        refuse(itertools.chain(self._places(), self._values(), self._learning()))
        return self

    def _places(self) -> Iterator[tuple[str, str]]:
        for name, place in (("token", self.token), ("challenge", self.challenge)):
            if place and place.path is not None and self.when.method != "POST":
                yield f"{name}.path", f"a {self.when.method} has no body"
        if (self.proven_by == "token") != (self.token is not None):
            yield "token", "is given if and only if 'proof' is 'token'"
        if self.proven_by == "signature" and self.when.method != "POST":
            yield "proof", f"a {self.when.method} carries no signature; 'none' or 'token'"

    def _values(self) -> Iterator[tuple[str, str]]:
        for value in self.answer.values:
            if value not in _VALUES:
                yield "answer", f"{value!r} is unknown; use {', '.join(_VALUES)}"
        if bool(self.answer.values) != (self.challenge is not None):
            yield "challenge", "is given if and only if the answer has it, or what is made of it"
        names = _PLACEHOLDER.findall(self.sha256)
        if set(names) - {"challenge", "token", "url"} or "challenge" not in names:
            yield "sha256", "must contain {challenge}, and may contain {token} and {url}"

    def _learning(self) -> Iterator[tuple[str, str]]:
        if self.learn is None:
            return
        if self.when.method != "POST" or self.proven_by != "none":
            yield "learn", "is for a POST with 'proof: none': what is learned is the proof"
        if set(self.answer.values) - {"$challenge"}:
            yield "learn", "the answer may give the secret back, and make nothing of it"


class GetHandshake(Model):
    """A GET whose header is given back in a JSON object; the front door answers by itself."""

    header: HeaderName
    field: str = Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")

    @property
    def rule(self) -> HandshakeRule:
        """The same as a rule."""
        return HandshakeRule.model_validate(
            {
                "when": {"method": "GET"},
                "challenge": {"header": self.header},
                "answer": {"json": {self.field: "$challenge"}},
            }
        )


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

    @property
    def rule(self) -> HandshakeRule:
        """The same as a rule."""
        return HandshakeRule.model_validate(
            {
                "when": {"body": {self.path: self.equals}},
                "challenge": {"path": self.challenge},
                "answer": {"json": self.answer},
            }
        )


class HandshakeSettings(Model):
    """The handshakes of one sender, as version 1 writes them."""

    get: GetHandshake | None = None
    post: PostHandshake | None = None

    @model_validator(mode="after")
    def _one(self) -> HandshakeSettings:
        if self.get is None and self.post is None:
            raise ValueError("give 'get', 'post' or both")
        return self

    @property
    def rules(self) -> tuple[HandshakeRule, ...]:
        """The same as rules."""
        return tuple(one.rule for one in (self.get, self.post) if one)
