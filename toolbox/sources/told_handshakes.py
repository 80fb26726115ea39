"""How handshakes are told of: what is answered that is no event, and for what proof."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from settings.source.model import Source


def handshakes(settings: Source) -> list[str]:
    """Say in a line each what is answered that is no event, and for what proof."""
    proofs = {
        "none": "for anyone",
        "token": "for the token in auth_token",
        "signature": "once it is proved as an event is",
    }
    said = []
    for rule in settings.handshake_rules:
        when = rule.when
        named = {"header": when.header, "query": when.query, "body": when.body}
        places = [
            f"{kind} {name}{'' if wanted is True else f' is {wanted}'}"
            for kind, places in named.items()
            for name, wanted in places.items()
        ]
        where = f" with {' and '.join(places)}" if places else ""
        learned = ", and its secret is learned" if rule.learn else ""
        said.append(f"{when.method}{where}: answered {proofs[rule.proven_by]}{learned}")
    return said
