"""A token within the body, of which every place must have one that is right."""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from pipeline.event.fields import path_text
from pipeline.event.outcomes import Reason
from pipeline.event.proof import ProofOfBody

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pipeline.event.compiled_source import CompiledSource
    from pipeline.event.fields import Dotted, FieldPath
    from pipeline.event.secrets import SecretsOf


@dataclass(frozen=True, kw_only=True, eq=False)
class BodyToken(ProofOfBody):
    """How such a source proves its requests: with a token at each place of a path."""

    path: Annotated[Dotted, "path"]

    def find_fault(
        self,
        source: CompiledSource,
        secrets_of: SecretsOf,
        headers: Mapping[str, str],  # noqa: ARG002 - each proof takes the same
        body: bytes,
        arrived_ms: int,  # noqa: ARG002
    ) -> tuple[Reason, str] | None:
        """Tell why a body is not its sender's: `SecretsOf` says what it raises."""
        from pipeline.event.json_text import BodyError
        from pipeline.event.parsing import read_body

        where = path_text(self.path)
        try:
            given = list(_values(read_body(source, body)[1], self.path))
        except BodyError:
            return Reason.BAD_SIGNATURE, f"there is no token at {where}: the body is no JSON"
        if not given:
            return Reason.BAD_SIGNATURE, f"there is no token at {where} of the body"
        if None in given:
            return Reason.BAD_SIGNATURE, f"an event has no token at {where} of the body"
        tokens = [text.encode(errors="surrogatepass") for text in given if text is not None]
        for known in secrets_of(source):
            # Each is compared with all, so that the time taken does not tell which fitted.
            fits = [[hmac.compare_digest(token, one) for one in known] for token in tokens]
            if all(map(any, fits)):
                return None
        return Reason.BAD_SIGNATURE, f"the token at {where} of the body is none of the source's"


def _values(value: Any, path: FieldPath) -> Iterator[str | None]:
    """Return what is at the ends of a path: None where one lacks it, or has no text there."""
    for element in value if isinstance(value, list) else [value]:
        if path and isinstance(element, dict):
            yield from _values(element.get(path[0]), path[1:])
        else:
            yield element if not path and isinstance(element, str) and element else None
