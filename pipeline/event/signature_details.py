"""The signatures of senders that do what few do: of the compiled sources, these alone load this."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Annotated

from pipeline.event.compiled_source import PLACEHOLDER, Signature
from pipeline.event.encodings import parts_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pipeline.event.fields import Dotted

_HEADER = "header."
#: Every text has bytes of its own.
_EXACT = "surrogatepass"


def _lower_all(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(map(str.lower, names))


@dataclass(frozen=True, kw_only=True, eq=False)
class DetailedSignature(Signature):
    """How such a source signs its requests.

    Parameters
    ----------
    further_headers : tuple[str, ...]
        Where a signature may be as well; one of all has to fit.
    position : int | None
        The first part of a header that is a signature, from 1 on; each later one may be one too.
    timestamp_position : int | None
        The part of the signature's header that is the time, from 1 on.
    timestamp_path : FieldPath | None
        Where the time is in the body.
    key_digest : str | None
        The hash of the secret that is the key.
    key : str
        What is filled in to make the key, `{secret}` among it.
    derived : tuple[str, ...]
        The parts of a request that are made for its signature; `pipeline.event.signed_parts`.
    each : FieldPath | None
        Where the list is of which each element is signed.
    sets : str | None
        What parts several sets of time and signature in the header; one has to fit.
    """

    detailed = True

    further_headers: Annotated[tuple[str, ...], _lower_all] = ()
    position: int | None = None
    timestamp_position: Annotated[int | None, "timestamp.position"] = None
    timestamp_path: Annotated[Dotted | None, "timestamp.path"] = None
    key_digest: Annotated[str | None, "secret.digest"] = None
    key: str = "{secret}"
    derived: tuple[str, ...] = ()
    each: Dotted | None = None
    sets: str | None = None

    @cached_property
    def of_parts(self) -> bool:
        """Whether it takes more than the headers and the body to check it."""
        return bool(self.derived) or self.each is not None or self.sets is not None

    @cached_property
    def of_body_alone(self) -> bool:
        """Whether one body has one signature, in one header, while the secret stays."""
        alone = self.signed == "{body}" and self.separator is None and not self.of_parts
        return alone and not self.further_headers and self.key == "{secret}"

    @cached_property
    def key_parts(self) -> tuple[str, ...]:
        """The key in parts, as `parts` has the signed string."""
        return tuple(PLACEHOLDER.split(self.key))

    def values(self, headers: Mapping[str, str]) -> list[str]:
        """Return the texts that may be signatures."""
        found = []
        for name in (self.header, *self.further_headers):
            value = headers.get(name, "")
            parts = [value] if self.separator is None else parts_of(value, self.separator)
            first = self.position or 1
            found += [
                part
                for place, part in enumerate(parts, start=1)
                if place >= first and place != self.timestamp_position
            ]
        return found

    def part(self, value: str, place: int) -> str:
        """Return one part of a header, from 1 on; empty where there is none."""
        parts = parts_of(value, self.separator or "\n")
        return parts[place - 1] if place <= len(parts) else ""

    def key_of(self, secret: bytes, headers: Mapping[str, str], time: str) -> bytes:
        """Make the key of a request.

        Parameters
        ----------
        secret : bytes
            The secret's bytes: without its prefix, and decoded.
        time : str
            The time of the request as it was sent.
        """
        if self.key_digest is not None:
            secret = hashlib.new(self.key_digest, secret).digest()
        if self.key == "{secret}":
            return secret
        return b"".join(
            self._filled_in(piece, secret, headers, time)
            if number % 2
            else piece.encode(errors=_EXACT)
            for number, piece in enumerate(self.key_parts)
        )

    @staticmethod
    def _filled_in(name: str, secret: bytes, headers: Mapping[str, str], time: str) -> bytes:
        if name == "secret":
            return secret
        text = time if name == "timestamp" else headers.get(name.removeprefix(_HEADER).lower(), "")
        return text.encode(errors=_EXACT)

    def laid_out(self, time: str, values: Sequence[str]) -> str:
        """Return the header with a time and signatures in it, each at its place."""
        waiting = list(values)
        parts: list[str] = []
        while waiting or len(parts) < (self.timestamp_position or 0):
            place = len(parts) + 1
            if place == self.timestamp_position:
                parts.append(time)
            else:
                parts.append(waiting.pop(0) if waiting and place >= (self.position or 1) else "")
        return (self.separator or "").join(parts)
