"""How a feed stands after its last poll, as its checkpoint keeps it for those who look at it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields

LONGEST_REASON = 600


@dataclass(frozen=True)
class FeedStanding:
    """What the last poll of a feed came to.

    Parameters
    ----------
    outcome : str
        As in its report; empty where it ended with a fault of our own.
    why : str
        What an operator has to know of it.
    refusals : int
        How many requests in a row were refused for their rate: the next pause is longer.
    note : str
        What was passed over because the sender no longer keeps it.
    noted : int
        When that was, in milliseconds since the epoch.
    """

    outcome: str = ""
    why: str = ""
    refusals: int = 0
    note: str = ""
    noted: int = 0

    def write(self) -> str:
        """Return its JSON."""
        return json.dumps(asdict(self))


def read_standing(text: str) -> FeedStanding:
    """Read how a feed stands; of what is broken, nothing is known."""
    try:
        plain = json.loads(text)
        found = FeedStanding(**plain)
    except (ValueError, TypeError):
        return FeedStanding()
    sound = all(type(getattr(found, one.name)) is type(one.default) for one in fields(found))
    return found if sound else FeedStanding()
