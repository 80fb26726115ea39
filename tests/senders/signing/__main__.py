"""Makes the requests of the table anew: `python -m tests.senders.signing [SENDER …]`."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from tests.senders.signing.by_address import BY_ADDRESS
from tests.senders.signing.by_jwt import BY_JWT
from tests.senders.signing.by_key import BY_KEY
from tests.senders.signing.by_library import BY_LIBRARY
from tests.senders.signing.by_npm import BY_NPM
from tests.senders.signing.made import AT, library
from tests.senders.signing.plain import OVER_BODY, TOKENS, UNSIGNED
from tests.senders.signing.timed import TIMED, with_details

if TYPE_CHECKING:
    from tests.senders.signing.made import Maker

FOLDER = Path(__file__).parents[1]


class _Text(str):
    """A text that is written in quotes."""

    __slots__ = ()


yaml.SafeDumper.add_representer(
    _Text, lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", text, style='"')
)


def makers() -> dict[str, Maker]:
    """Return every maker, by the sender's name in the table."""
    names = ("Adyen", "boxsdk", "paddle-python-sdk")
    detailed = with_details({name: library(name) for name in names})
    return {
        **TOKENS,
        **OVER_BODY,
        **TIMED,
        **detailed,
        **BY_LIBRARY,
        **BY_ADDRESS,
        **BY_KEY,
        **BY_JWT,
        **BY_NPM,
        **UNSIGNED,
    }


def written(maker: Maker, body: bytes, expect: dict[str, Any]) -> str:
    """Return the sample of one request.

    Parameters
    ----------
    expect : dict[str, Any]
        How it must end.
    """
    proof = maker.sign(maker.secrets[0] if maker.secrets else "", body)
    headers = {"Content-Type": maker.content_type, **maker.headers, **proof}
    document: dict[str, Any] = {"description": _described(maker)}
    query = maker.query if isinstance(maker.query, str) else maker.query(maker.secrets[0], body)
    document |= {"query": _Text(query)} if query else {}
    document |= {"url": maker.url} if maker.url else {}
    document["body_file"] = maker.file
    document["as_sent"] = {
        "signed_by": maker.signed_by,
        "at": datetime.fromtimestamp(AT, UTC).isoformat().replace("+00:00", "Z"),
        "secrets": list(maker.secrets),
        "headers": [_Pair((name, _Text(value))) for name, value in headers.items()],
    }
    if maker.fetched:
        document["as_sent"]["fetched"] = {url: name_of(url) for url in maker.fetched}
    document["expect"] = expect
    return yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=10_000)


class _Pair(list[str]):
    """A list that is written on one line."""


yaml.SafeDumper.add_representer(
    _Pair,
    lambda dumper, pair: dumper.represent_sequence("tag:yaml.org,2002:seq", pair, flow_style=True),
)


def _described(maker: Maker) -> str:
    kind, _, name = maker.signed_by.partition(" ")
    who = {"library": f"signed with {name}", "documentation": "from the sender's documentation"}
    return f"an event, {who.get(kind, 'made here from the sender' + chr(39) + 's documentation')}"


def name_of(url: str) -> str:
    """Return the file of what is at an address."""
    return url.rstrip("/").rpartition("/")[2]


def make(name: str, maker: Maker) -> None:
    """Write the sample of a sender beside its body."""
    samples = FOLDER / name / "samples"
    if maker.body is not None:
        (samples / maker.file).write_bytes(maker.body(maker.secrets[0] if maker.secrets else ""))
    for url, document in maker.fetched.items():
        (samples / name_of(url)).write_text(document, encoding="utf-8")
    body = (samples / maker.file).read_bytes()
    path = samples / "event.yaml"
    expect = {"outcome": "delivered"}
    if path.exists():
        expect = yaml.safe_load(path.read_text(encoding="utf-8"))["expect"]
    path.write_text(written(maker, body, expect), encoding="utf-8")


if __name__ == "__main__":
    known = makers()
    for sender in sys.argv[1:] or sorted(name for name in known if (FOLDER / name).is_dir()):
        make(sender, known[sender])
