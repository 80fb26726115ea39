"""The forms that a source's secret can have."""

from __future__ import annotations

import itertools
import secrets
from typing import TYPE_CHECKING

from pipeline.errors import PipelineError
from pipeline.event import encodings
from pipeline.event.secrets import SecretError
from pipeline.event.signatures import signing_key

if TYPE_CHECKING:
    from collections.abc import Iterator

    from settings.source.loader import LoadedSource

SHORT = 16
#: A parameter of the standard tier holds 4 KB, and two values while one replaces another (SSM
#: quotas).
LONGEST = 2_000
_PAIRS = {
    "basic": "user:password",
    "oauth2": "client_id:client_secret",
    "duo": "integration_key:secret_key",
}


class SecretFormError(PipelineError):
    """A value cannot be this source's secret. The message never holds the value."""


def check_form(source: LoadedSource, value: str, *, own: bool = True) -> None:
    """See that a value can be the secret of a source.

    Parameters
    ----------
    own : bool
        Whether it is what the source's authentication asks for; else any text in one line is well.

    Raises
    ------
    SecretFormError
        When it cannot.
    """
    faults = itertools.chain(_text_faults(source, value), _faults(source, value) if own else ())
    fault = next(faults, None)
    if fault is not None:
        raise SecretFormError(f"{source.name}: {fault}; nothing was written")


def _text_faults(source: LoadedSource, value: str) -> Iterator[str]:
    from settings.source.model import TokenAuthentication

    settings = source.settings
    if not value.strip():
        yield "the secret is empty"
    elif len(value.splitlines()) != 1:
        yield "the secret has a line break; give one value, a PEM in one line"
    elif value != value.strip():
        yield "the secret begins or ends with white space"
    elif not value.isprintable():
        yield "the secret holds a control character"
    elif len(value.encode()) > LONGEST:
        yield f"the secret has more than {LONGEST:,} bytes"
    elif isinstance(settings.authentication, TokenAuthentication) and not value.isascii():
        yield "a token travels in a header, which takes ASCII"


def _faults(source: LoadedSource, value: str) -> Iterator[str]:
    from settings.source.compiler import signature_of

    settings = source.settings
    signature = signature_of(settings.authentication)
    if signature is not None:
        try:
            signing_key(signature, value.encode())
        except SecretError as error:
            yield str(error)
    if settings.proof_of_body is not None and (fault := settings.proof_of_body.fault_in(value)):
        yield fault
    pair = _PAIRS.get(settings.poll.credential.type if settings.poll else settings.proof)
    if pair is not None and not all(value.partition(":")[::2]):
        yield f"the {'credential' if settings.poll else 'secret'} is a pair: {pair}"


def weakness(value: str) -> str:
    """Say what is weak about a secret; empty where nothing is."""
    if len(value) < SHORT:
        return f"the secret has fewer than {SHORT} characters, which can be guessed"
    return ""


def generate_text() -> str:
    """Make a strong secret that is nothing but text."""
    return secrets.token_urlsafe(32)


def generate(source: LoadedSource) -> str:
    """Make a strong secret in the form that the source wants.

    Raises
    ------
    SecretFormError
        When only the sender can make it.
    """
    from settings.source.compiler import signature_of

    if source.settings.poll is not None:
        raise SecretFormError(
            f"{source.name}: events are fetched with a credential that the sender makes; get it "
            "there, and give it at the prompt or with --stdin"
        )
    proof = source.settings.proof_of_body
    if proof is not None and proof.key_algorithm:
        raise SecretFormError(
            f"{source.name}: the sender signs with a key of its own; get the public key there, and "
            "give it at the prompt or with --stdin"
        )
    if source.settings.proof == "basic":
        return f"webhooks:{secrets.token_urlsafe(32)}"
    signature = signature_of(source.settings.authentication)
    if signature is not None and signature.key_encoding != "text":
        made = encodings.write(secrets.token_bytes(32), signature.key_encoding)
        return signature.key_prefix + made
    return (signature.key_prefix if signature else "") + secrets.token_urlsafe(32)
