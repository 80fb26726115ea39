"""What the proofs have that are neither a token of the door nor an HMAC; the token in a body."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from pipeline.event.fields import path_of, path_text
from pipeline.event.proofs.body_token import BodyToken
from pipeline.event.proofs.keys import keys_of
from pipeline.event.secrets import SecretError
from pipeline.event.summary import placeholders
from settings.source.base import FieldPath, Model
from settings.source.detail_fields import places_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from settings.source.model import Source

_BodyTokenKind = type[BodyToken]


class ProofSettings(Model):
    """What other settings ask of such a proof."""

    @property
    def parameter(self) -> str:
        """The last part of the name of the parameter with its secrets or keys."""
        return "signing_secret"

    @property
    def key_algorithm(self) -> str:
        """Whose public keys the parameter holds; empty where it holds secrets."""
        return ""

    @property
    def needs_proofs_layer(self) -> bool:
        """Whether it is checked with what the standard library lacks."""
        return True

    @property
    def said(self) -> str:
        """How a sender proves who it is, in one sentence."""
        raise NotImplementedError

    def fault_in(self, value: str) -> str:
        """Say what is wrong with a value of its parameter; empty where it can serve."""
        if not self.key_algorithm:
            return ""
        try:
            keys_of([value.encode()], self.key_algorithm)
        except SecretError as error:
            return str(error)
        return ""

    @property
    def headers(self) -> list[str]:
        """The headers that must travel in the envelope for the proof to be checked."""
        return []

    @property
    def all_headers(self) -> list[str]:
        """The headers that can hold the proof."""
        return []

    @property
    def scheme(self) -> str:
        """What `Authorization` begins with, where it holds the proof and travels; else empty."""
        return ""

    @property
    def pseudo_headers(self) -> tuple[str, ...]:
        """What must travel beside the headers for the proof to be checked."""
        return ()

    @property
    def at_door(self) -> bool:
        """Whether the proof is a credential, which the receiver checks and nobody keeps."""
        return False

    def hidden_paths(self, source: Source) -> tuple[str, ...]:  # noqa: ARG002
        """Return what of an event MozDef never gets, as paths of `mozdef.rules`."""
        return ()

    def faults_of(self, source: Source) -> Iterator[tuple[str, str]]:  # noqa: ARG002
        """Return what of the source's other settings does not go with it: key and what to do."""
        return iter(())


class BodyTokenAuthentication(ProofSettings):
    """A token that the sender writes into each body: it proves who sent it, and binds nothing.

    It is in the archive as the body is, and never in a MozDef event.
    """

    type: Literal["body_token"]
    path: FieldPath = Field(
        description="dotted path of the token; lists on the way are looked through, and each "
        "element must have it"
    )

    @property
    def needs_proofs_layer(self) -> bool:
        """Comparing texts needs nothing more."""
        return False

    @property
    def said(self) -> str:
        """How a sender proves who it is, in one sentence."""
        return f"a token at {self.path} of the body"

    @property
    def compiled_kind(self) -> _BodyTokenKind:
        """The declaration that has these settings."""
        return BodyToken

    def hidden_paths(self, source: Source) -> tuple[str, ...]:
        """Return the token's path in an event: what of it is beside a list of events is in none."""
        path, split = path_of(self.path), path_of(source.split.path) if source.split else ()
        return (path_text(path[len(split) :]),) if path[: len(split)] == split else ()

    def faults_of(self, source: Source) -> Iterator[tuple[str, str]]:
        """Return the settings that would let the token out."""
        if self.path == ".":
            yield "authentication.path", "names a field of the body"
        if source.mozdef.plugin is not None:
            yield "mozdef.plugin", "a plugin's events are not changed, and would hold the token"
        hidden = set(self.hidden_paths(source))
        for key, paths in _shown(source):
            if hidden & set(paths):
                yield key, "names the token of 'authentication', which is shown nowhere"


def _shown(source: Source) -> Iterator[tuple[str, Iterable[str]]]:
    """Return the paths of a source's settings whose values leave the body."""
    if source.event_type is not None and source.event_type.path is not None:
        yield "event_type.path", (source.event_type.path,)
    yield "delivery_id", source.delivery_id_paths
    yield "mozdef.summary", itertools.chain(*placeholders(source.mozdef.summary))
    for name, places in source.mozdef.fields.items():
        yield f"mozdef.fields.{name}", [one.path for one in places_of(places)]
