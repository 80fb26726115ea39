"""Checks the proof of an archived request again, and says how: never with the secret itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from pipeline.event.secrets import SecretError, SecretUnavailableError, only
from pipeline.event.signatures import find_fault, string_to_sign
from pipeline.runtime.secret_store import MOST_SECRETS

if TYPE_CHECKING:
    from pipeline.event.compiled_source import CompiledSource
    from pipeline.event.envelope import Envelope
    from toolbox.seams import SecretParameters

#: Stands in the signed string where the body is.
_BODY = b"{the body as it came}"


@dataclass(frozen=True)
class ProofCheck:
    """How a request's proof was checked.

    Parameters
    ----------
    scheme : str
        What proves a request of this source.
    verdict : str
        What the check came to.
    fits : bool | None
        None where it could not be checked.
    string_to_sign : str
        With a word in the place of the body; empty where the scheme signs parts of the body.
    """

    scheme: str
    verdict: str
    fits: bool | None = None
    string_to_sign: str = ""


def check_proof(
    source: CompiledSource, envelope: Envelope, ssm: SecretParameters | None, parameter: str
) -> ProofCheck:
    """Check a request's signature with each of the secrets that its source has now.

    Parameters
    ----------
    ssm : SecretParameters | None
        None where the secrets are not to be read.
    parameter : str
        The name of the source's; empty where it has none.
    """
    scheme = source.authentication
    if source.signature is None:
        told = (
            "no signature: its token, network or credential was checked at the door, and is not "
            "kept"
            if source.proof_of_body is None
            else "proved by a key, a JSON Web Token or a token in the body; it is not checked here"
        )
        return ProofCheck(scheme, told)
    scheme = f"{scheme}: {source.signature.algorithm} in {source.signature.where}"
    signed = _signed(source, envelope)
    if ssm is None or not parameter:
        return ProofCheck(scheme, "not checked: the source's secret was not read", None, signed)
    try:
        answer = ssm.get_parameter(Name=parameter, WithDecryption=True)
        text = str(answer["Parameter"]["Value"])
    except (BotoCoreError, ClientError) as error:
        told = error.response["Error"]["Code"] if isinstance(error, ClientError) else str(error)
        return ProofCheck(scheme, f"not checked: {parameter}: {told}", None, signed)
    secrets = [line.strip().encode() for line in text.splitlines() if line.strip()][:MOST_SECRETS]
    verdict, fits = _verdict(source, envelope, secrets)
    return ProofCheck(scheme, verdict, fits, signed)


def _verdict(source: CompiledSource, envelope: Envelope, secrets: list[bytes]) -> tuple[str, bool]:
    why = "the source has no secret"
    for number, secret in enumerate(secrets, start=1):
        try:
            fault = find_fault(
                source, only(secret), envelope.headers, envelope.body, envelope.arrived_ms
            )
        except (SecretError, SecretUnavailableError) as error:
            why = f"secret {number} makes no key: {error}"
            continue
        if fault is None:
            age = "the newest" if number == 1 else "a former one"
            return f"it fits secret {number} of {len(secrets)}, {age}", True
        why = f"{fault[0]}: {fault[1]}"
    return why, False


def _signed(source: CompiledSource, envelope: Envelope) -> str:
    assert source.signature is not None  # noqa: S101 - asked for where it has one
    try:
        made = string_to_sign(source.signature, _BODY, envelope.headers)
    except Exception:  # noqa: BLE001 - a scheme that signs parts of the body finds none here
        return ""
    return made.decode(errors="backslashreplace")
