"""Samples that somebody else signed: the request as it was sent, and what it was signed with."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from settings.bounded import UnfitFileError, read_own
from settings.faults import Fault, refuse
from settings.source.admission import AT_THE_DOOR
from settings.source.authentication import SignedRequest
from settings.source.loader import SourceError
from settings.source.model import TokenAuthentication
from settings.source.proofs import BodyTokenAuthentication, ProofSettings

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from settings.source.model import Source

#: A name of RFC 9110, section 5.1.
_Name = Annotated[str, Field(pattern=r"^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}$")]
_Value = Annotated[str, Field(pattern=r"^[^\r\n\x00]*$", max_length=10_240)]
#: Who signed where nobody else did: it shows that a scheme is one, and not that it is the sender's.
OURSELVES = "ourselves"
_ADDRESS = re.compile(r"https://[!-~]+")


class AsSent(BaseModel):
    """How a request was sent by one who is not this project.

    Parameters
    ----------
    at : AwareDatetime
        When it arrived.
    secrets : tuple[str, ...]
        The test secrets or public keys, as the source's parameter has them, a line each.
    headers : tuple[tuple[str, str], ...]
        All of them, in their order and spelling.
    fetched : dict[str, str]
        What pinned addresses answered: the names of files beside the sample.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    signed_by: str = Field(
        pattern=r"^((library|documentation|capture) \S.*|ourselves)$",
        description="'library <name> <version>', 'documentation <address>' or 'capture <where>'; "
        "'ourselves', which proves nothing, by code of its own",
    )
    at: AwareDatetime
    secrets: tuple[Annotated[str, Field(min_length=1)], ...] = ()
    headers: tuple[tuple[_Name, _Value], ...] = Field(min_length=1)
    fetched: dict[str, str] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _known_by_something(self) -> AsSent:
        refuse(self._wrong())
        return self

    def _wrong(self) -> Iterator[tuple[str, str]]:
        if not self.secrets and not self.fetched:
            yield "secrets", "is missing: what was it signed with? (or 'fetched', a key by address)"
        for address in self.fetched:
            if not _ADDRESS.fullmatch(address):
                yield "fetched", f"{address!r} is no https:// address"

    @property
    def by_name(self) -> dict[str, str]:
        """The headers as a mapping; of one that comes again the last, as API Gateway has it."""
        last = {name.lower(): (name, value) for name, value in self.headers}
        return dict(last.values())

    def header(self, name: str) -> str:
        """Return one of the headers, by its lower-case name; empty where there is none."""
        return next((value for key, value in self.headers if key.lower() == name), "")


def read_fetched(sent: AsSent, path: Path, folder: Path) -> dict[str, bytes]:
    """Read what pinned addresses answered.

    Parameters
    ----------
    path, folder : Path
        The sample's file, and the source's folder, which nothing may lead out of.

    Raises
    ------
    SourceError
        When a file is missing, too large or outside of the folder.
    """
    found = {}
    for address, file in sent.fetched.items():
        try:
            found[address] = read_own(folder, path.parent / file)
        except UnfitFileError as error:
            said = Fault(file, "", str(error), error.found)
            raise SourceError(Fault(str(path), "as_sent.fetched", str(said))) from None
    return found


def signs(settings: Source) -> bool:
    """Tell whether a source's senders sign, so that there is a scheme that can be wrong."""
    proof = settings.authentication
    if isinstance(proof, ProofSettings):
        return not (proof.at_door or isinstance(proof, BodyTokenAuthentication))
    return settings.proof not in {*AT_THE_DOOR, "none", "poll"}


def proof_headers(settings: Source) -> frozenset[str]:
    """Return the headers of a source's proof, in lower case: with that of the time it signs."""
    proof = settings.authentication
    if isinstance(proof, TokenAuthentication):
        return frozenset({proof.in_header.lower()} - {""})
    if settings.proof == "basic":
        return frozenset({"authorization"})
    if not isinstance(proof, SignedRequest | ProofSettings):
        return frozenset()
    when = proof.timestamp if isinstance(proof, SignedRequest) else None
    time = when.header if when else None
    return frozenset(name.lower() for name in (*proof.all_headers, *([time] if time else [])))


def without(headers: Mapping[str, str], names: Iterable[str]) -> dict[str, str]:
    """Return headers without some, whose names are given in lower case."""
    left_out = set(names)
    return {name: value for name, value in headers.items() if name.lower() not in left_out}
