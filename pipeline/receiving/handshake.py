"""Answers a sender that asks whether this address is its owner's.

No answer signs what a stranger chose, and none has what a browser would take for more than text.
"""

from __future__ import annotations

import hmac
import json
import re
from typing import TYPE_CHECKING, Any

from pipeline.event import encodings
from pipeline.event.fields import as_text, find
from pipeline.event.outcomes import Verdict
from pipeline.event.secrets import SecretError, only
from pipeline.event.signatures import find_fault, key_of
from pipeline.receiving.admission import from_allowed_network, is_known
from pipeline.receiving.answers import IN_HEADER, Answer, denied, filled

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipeline.event.compiled_handshake import Handshake, Place
    from pipeline.event.compiled_source import Signature
    from pipeline.receiving.learning import Learning
    from pipeline.receiving.request import Request
    from pipeline.runtime.secret_store import SecretStore

LONGEST_CHALLENGE = 200
#: What is given back to whoever asks: printable ASCII without what HTML, JSON or a header would
#: take for its own. Microsoft Graph's has spaces and colons.
_ECHOED = re.compile(r"[A-Za-z0-9 ._~:/?#@!$()*+,;=%|-]{1,512}")
#: What is hashed, or signed, for whoever asks. No body of an event is one such word, and JSON's own
#: words are left out.
_WORD = re.compile(r"[A-Za-z0-9_-]{1,128}")
_METHODS_OF_EVENTS = frozenset({"POST", "PUT"})


def answer_unproven(
    request: Request, secrets: SecretStore, learning: Learning | None = None
) -> Answer | None:
    """Answer what needs no signature: GET, HEAD, OPTIONS, and what a sender asks before it signs.

    Returns
    -------
    Answer | None
        None where the request is an event, or a handshake that the source's own proof covers.

    Raises
    ------
    SecretError
        When a secret is needed, and cannot be read.
    """
    source = request.source
    if not source.handshakes and request.method in _METHODS_OF_EVENTS:
        return None
    if not from_allowed_network(source, request.ip):
        return denied(403, "forbidden", "The sender is not let in.", "address not allowed")
    rule = _rule(request)
    if rule is None:
        if request.method in _METHODS_OF_EVENTS:
            return None
        return denied(404, "not_found", "No source has this route and method.")
    if rule.proof == "signature":
        return None
    if rule.proof == "token" and not _has_token(request, rule, secrets):
        return denied(403, "forbidden", "The sender is not let in.", "token of a handshake")
    return _answered(request, rule, secrets, learning)


def answer_handshake(request: Request, secrets: SecretStore) -> Answer | None:
    """Answer a handshake that is proved as an event is; None where the request is an event.

    Parameters
    ----------
    request : Request
        A request whose signature was checked: an HMAC for anyone who asks would sign forgeries.
    secrets : SecretStore
        Where the signing secrets are.

    Raises
    ------
    SecretError
        When no secret can be read.
    """
    if not request.source.handshakes:
        return None
    rule = _rule(request)
    if rule is None or rule.proof != "signature":
        return None
    return _answered(request, rule, secrets, None)


def _rule(request: Request) -> Handshake | None:
    for rule in request.source.handshakes:
        if rule.method == request.method and all(
            _holds(_value(request, place), wanted) for place, wanted in rule.conditions
        ):
            return rule
    return None


def _holds(value: Any, wanted: str | None) -> bool:
    return value is not None if wanted is None else as_text(value) == wanted


def _value(request: Request, place: Place) -> Any:
    kind, name = place
    if kind == "header":
        return request.headers.get(name)
    if kind == "query":
        return request.query.get(name)
    return find(request.content, name)


def _has_token(request: Request, rule: Handshake, secrets: SecretStore) -> bool:
    place = rule.token
    given = _value(request, place) if place else None
    if not isinstance(given, str) or _is_ambiguous(request, place):
        return False
    return is_known(request.source, secrets, given.encode(errors="replace"))


def _is_ambiguous(request: Request, place: Place | None) -> bool:
    return place is not None and place[0] == "query" and place[1] in request.repeated


def _answered(
    request: Request, rule: Handshake, secrets: SecretStore, learning: Learning | None
) -> Answer:
    values: dict[str, Callable[[], str]] = {}
    if rule.challenge is not None:
        challenge = _value(request, rule.challenge)
        if not _is_harmless(request, rule, challenge):
            return denied(
                400,
                "bad_challenge",
                "A challenge is there once, is not long, and is no more than a word or a sentence.",
            )
        values = {
            "$challenge": lambda: str(challenge),
            "$hmac": lambda: _hmac(request, rule, secrets, challenge),
            "$sha256": lambda: _sha256(request, rule, secrets, challenge),
        }
    if rule.learn is not None:
        if learning is None:
            raise AssertionError("the receiver of a source that learns is given what keeps it")
        refused = learning.learn(request, _value(request, rule.learn))
        if refused:
            return refused
    return filled(rule.answer, values, Verdict.HANDSHAKE)


def _is_harmless(request: Request, rule: Handshake, challenge: object) -> bool:
    """Tell a random token from what could be a string to sign, such as `v0:1700000000:{}`."""
    if not isinstance(challenge, str) or _is_ambiguous(request, rule.challenge):
        return False
    fields = (rule.answer.object or {}).values()
    used = {rule.answer.text, *fields, *rule.answer.headers.values()}
    in_body = rule.challenge is not None and rule.challenge[0] == "body"
    if rule.proof == "signature" and in_body and rule.answer.text is None:
        # The sender's own: whoever it is has the secret.
        harmless = 1 <= len(challenge) <= LONGEST_CHALLENGE and ":" not in challenge
    elif used & {"$hmac", "$sha256"}:
        harmless = bool(_WORD.fullmatch(challenge)) and not _is_json(challenge)
    else:
        harmless = bool(_ECHOED.fullmatch(challenge))
    if "$challenge" in rule.answer.headers.values():
        harmless = harmless and bool(IN_HEADER.fullmatch(challenge))
    return harmless


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def _hmac(request: Request, rule: Handshake, secrets: SecretStore, challenge: str) -> str:
    settings = request.source.signature
    if settings is None:
        raise AssertionError("the model lets only signed sources answer with an HMAC")
    how = rule.hmac
    digest = hmac.digest(_key(request, rule, settings, secrets), challenge.encode(), how.algorithm)
    return how.prefix + encodings.write(digest, how.encoding)


def _key(request: Request, rule: Handshake, settings: Signature, secrets: SecretStore) -> bytes:
    """Return the key of the request's signature: while a secret rotates, the sender has but one.

    Of a request that nobody signs it is the current secret's.
    """
    source = request.source
    known = secrets.secrets(source.name, source.secret_kind)
    if rule.proof != "signature":
        # Of the secret alone: what else is in a key would be the stranger's to choose.
        return key_of(settings, known[0], {})
    # Each is tried, so that the time taken does not tell which one it was.
    fitting = [
        secret
        for secret in known
        if find_fault(source, only(secret), request.kept, request.body, request.arrived_ms) is None
    ]
    if fitting:
        return key_of(settings, fitting[0], request.kept)
    raise SecretError(f"{source.name}: the signing secret changed while a handshake was answered")


def _sha256(request: Request, rule: Handshake, secrets: SecretStore, challenge: str) -> str:
    import hashlib  # few answer with a hash

    values = {"{challenge}": challenge, "{url}": request.url}
    if "{token}" in rule.sha256:
        known = secrets.secrets(request.source.name, "auth_token")
        values["{token}"] = known[0].decode(errors="replace")
    text = re.sub(r"\{[a-z]+\}", lambda found: values[found[0]], rule.sha256)
    return hashlib.sha256(text.encode()).hexdigest()
