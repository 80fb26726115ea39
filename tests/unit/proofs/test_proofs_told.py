"""What the command line says of proofs, and which values it takes for their parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.support.proving import written
from toolbox.cli.secret_forms import SecretFormError, check_form, generate
from toolbox.sources.told import proof, sender_needs

if TYPE_CHECKING:
    from pathlib import Path

KEY = "4ygppSvDbrQzpfb1gxzlfVEFGWH+tjSd4GqN9XsgueI="
ED25519: dict[str, Any] = {"type": "public_key", "algorithm": "ed25519", "header": "X-Sig"}
TOKEN: dict[str, Any] = {
    "type": "jwt",
    "header": "X-Token",
    "algorithms": ["RS256"],
    "body_hash": {"claim": "sha256"},
}
URL = "https://k.example.com/keys"
SAID: dict[str, tuple[dict[str, Any], str, str]] = {
    "key": (
        {**ED25519, "signed": "{timestamp}{body}", "timestamp": {"header": "X-Time"}},
        "ed25519 over {timestamp}{body}, hex, in X-Sig, by the public key in its parameter, at",
        "the sender's public key, written with 'secret set'",
    ),
    "pinned": (
        {**ED25519, "keys": [KEY]},
        "ed25519 over {body}, hex, in X-Sig, by the keys in",
        "",
    ),
    "set": ({**ED25519, "keys_url": URL}, "ed25519 over {body}, hex, in X-Sig, by the keys at", ""),
    "token": (
        {**TOKEN, "keys_url": URL},
        "a JSON Web Token (RS256) in X-Token, with the body's",
        "",
    ),
    "secret": (
        {**TOKEN, "algorithms": ["HS256"]},
        "a JSON Web Token (HS256) in X-Token, with the body's sha256",
        "the secret: the same as with 'secret set', from either side",
    ),
    "written": (
        {"type": "body_token", "path": "passcode"},
        "a token at passcode of the body",
        "the secret: the same as with 'secret set', from either side",
    ),
}


@pytest.mark.parametrize("name", SAID)
def test_a_proof_is_said_in_one_sentence(tmp_path: Path, name: str) -> None:
    authentication, said, needed = SAID[name]
    time = [authentication["timestamp"]["header"]] if "timestamp" in authentication else []
    keep = [*([authentication["header"]] if "header" in authentication else []), *time]
    source = written(tmp_path, name, authentication=authentication, headers={"keep": keep})
    assert proof(source.settings).startswith(said)
    assert sender_needs(source)[1:] == ([needed] if needed else [])


def test_a_public_key_is_taken_and_nothing_else(tmp_path: Path) -> None:
    source = written(tmp_path, "key", authentication=ED25519, headers={"keep": ["X-Sig"]})
    check_form(source, KEY)
    for value in ("a-secret", KEY[:-5], f"{KEY}\n{KEY}", "AAAA"):
        with pytest.raises(SecretFormError, match="nothing was written"):
            check_form(source, value)
    with pytest.raises(SecretFormError, match="get the public key there"):
        generate(source)


def test_a_secret_of_a_token_is_made_here(tmp_path: Path) -> None:
    settings = {**TOKEN, "algorithms": ["HS256"]}
    source = written(tmp_path, "key", authentication=settings, headers={"keep": ["X-Token"]})
    check_form(source, generate(source))
