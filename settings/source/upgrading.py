"""From version 1 of `source.yaml` to version 2, where a handshake is a list of rules."""

from __future__ import annotations

import re
from typing import Any

import yaml

NEWEST = 2
_VERSION = re.compile(r"^version:[ \t]*1(?=[ \t]*(?:#|$))", re.MULTILINE)
#: A key at the left margin, with all that is indented below it. A comment there is the next key's.
_HANDSHAKE = re.compile(r"^handshake:.*\n(?:[ \t]+.*\n|[ \t]*\n(?=[ \t]))*", re.MULTILINE)


def is_old(document: dict[str, Any]) -> bool:
    """Tell whether a document has words that version 2 does not have."""
    return isinstance(document.get("handshake"), dict)


def upgraded(document: dict[str, Any]) -> dict[str, Any]:
    """Return a document of version 1 as one of version 2; another one as it is."""
    if document.get("version") != 1:
        return document
    changed: dict[str, Any] = {"version": NEWEST}
    if is_old(document):
        changed["handshake"] = _rules(document["handshake"])
    return {**document, **changed}


def upgraded_text(text: str) -> str:
    """Return a file of version 1 as one of version 2, its comments and all else as they are.

    The comments within `handshake` are lost.
    """
    document = yaml.safe_load(text)
    if not isinstance(document, dict) or document.get("version") != 1:
        return text
    if is_old(document):
        rules = {"handshake": _rules(document["handshake"])}
        written = yaml.safe_dump(rules, sort_keys=False, allow_unicode=True, width=100)
        text = _HANDSHAKE.sub(lambda _: written, f"{text.rstrip()}\n", count=1)
    return _VERSION.sub(f"version: {NEWEST}", text, count=1)


def _rules(handshake: dict[str, Any]) -> list[dict[str, Any]]:
    rules = []
    if get := handshake.get("get"):
        rules.append(
            {
                "when": {"method": "GET"},
                "challenge": {"header": get["header"]},
                "answer": {"json": {get["field"]: "$challenge"}},
            }
        )
    if post := handshake.get("post"):
        rules.append(
            {
                "when": {"body": {post["path"]: post["equals"]}},
                "challenge": {"path": post["challenge"]},
                "answer": {"json": dict(post["answer"])},
            }
        )
    return rules
