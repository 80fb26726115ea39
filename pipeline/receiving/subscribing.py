"""Confirms the subscription that a verified request asks to confirm."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from pipeline.event.outcomes import Verdict
from pipeline.event.secrets import SecretError
from pipeline.receiving.answers import Answer, unavailable

if TYPE_CHECKING:
    from pipeline.receiving.request import Request

#: Returns what is at an address; None where its host says that there is nothing.
Visit = Callable[[str], bytes | None]


def confirm_subscription(request: Request, visit: Visit) -> Answer | None:
    """Visit the address that confirms a subscription; None where the request is an event.

    Parameters
    ----------
    request : Request
        A request whose proof was checked. The address is made from what was proved.
    """
    proof = request.source.proof_of_body
    address = proof.address_to_visit(request.body) if proof is not None else ""
    if not address:
        return None
    try:
        found = visit(address)
    except SecretError:
        found = None
    if found is None:
        # Its text would name the address, and with it the token.
        return unavailable("the subscription could not be confirmed; its sender asks again")
    return Answer(200, {"status": "confirmed"}, Verdict.HANDSHAKE)
