"""Tries public keys against a caught signature, as `scheme` tries shared secrets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipeline.event.proofs.keys import keys_of
from pipeline.event.secrets import SecretUnavailableError
from toolbox.sources.captured.scheme import Candidate, SchemeFound, candidates_of, signed_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from toolbox.sources.captured.request import CapturedRequest

#: How many bytes a signature has: RFC 8032; DER of two numbers of 256 bits; RSA of 2,048 bits on.
_SIZES: dict[str, Callable[[int], bool]] = {
    "ed25519": lambda size: size == 64,
    "ecdsa-p256-sha256": lambda size: 66 <= size <= 72,
    "rsa-sha256": lambda size: size in {256, 384, 512, 1024},
    "rsa-sha1": lambda size: size in {256, 384, 512, 1024},
}
_MOST_TRIALS = 2_000


def find_key_scheme(requests: Sequence[CapturedRequest], keys: Sequence[str]) -> SchemeFound | None:
    """Return how requests are signed by a private key; None where these are no such public keys.

    Parameters
    ----------
    keys : Sequence[str]
        Public keys as the source's parameter has them: PEM over several lines, hex or base64.
    """
    first, *others = requests
    for algorithm, has_size in _SIZES.items():
        known = _keys(keys, algorithm)
        budget = [_MOST_TRIALS] if known else [0]
        for candidate in candidates_of(first, (), has_size):
            if not _fits(first, candidate, algorithm, known, budget):
                continue
            settings = _settings(candidate, algorithm)
            proved = 1 + sum(
                any(
                    _settings(one, algorithm) == settings
                    and _fits(other, one, algorithm, known, [_MOST_TRIALS])
                    for one in candidates_of(other, (), has_size)
                )
                for other in others
            )
            text = "\n".join(keys)
            return SchemeFound(settings, candidate.evidence(first), proved, text)
    return None


def _keys(lines: Sequence[str], algorithm: str) -> list[Any]:
    try:
        return keys_of([one.encode() for one in lines], algorithm)
    except SecretUnavailableError:
        return []


def _settings(candidate: Candidate, algorithm: str) -> dict[str, Any]:
    return candidate.settings | {"type": "public_key", "algorithm": algorithm}


def _fits(
    request: CapturedRequest,
    candidate: Candidate,
    algorithm: str,
    keys: Sequence[Any],
    budget: list[int],
) -> bool:
    if candidate.time_in_key:
        return False
    budget[0] -= 1
    if budget[0] < 0:
        return False
    data = signed_bytes(request, candidate)
    return any(_verifies(key, algorithm, candidate.place.digest, data) for key in keys)


def _verifies(key: Any, algorithm: str, signature: bytes, data: bytes) -> bool:
    from cryptography.exceptions import InvalidSignature

    try:
        key.verify(signature, data, *_how(algorithm))
    except InvalidSignature:
        return False
    return True


def _how(algorithm: str) -> Iterator[Any]:
    from cryptography.hazmat.primitives.asymmetric import ec, padding
    from cryptography.hazmat.primitives.hashes import SHA1, SHA256

    if algorithm.startswith("ecdsa"):
        yield ec.ECDSA(SHA256())
    elif algorithm.startswith("rsa"):
        yield padding.PKCS1v15()
        yield SHA1() if algorithm.endswith("sha1") else SHA256()  # noqa: S303 - what senders sign
