"""Checkpoints in DynamoDB, each with the lock that keeps two polls of a feed apart."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from pipeline.polling.errors import LeaseLostError, PollError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pipeline.aws.seams import LockTable

#: How long a lock stays after Lambda has ended the invocation that held it: clocks differ.
MARGIN_MS = 10_000
#: All are written as placeholders: `owner` and `position` are reserved words of DynamoDB.
_NAMES = {
    "#position": "position",
    "#owner": "owner",
    "#lease": "lease_until",
    "#pause": "not_before",
    "#updated": "updated",
    "#state": "state",
}


@dataclass(frozen=True)
class Lease:
    """A lock that this poll holds.

    Parameters
    ----------
    position : str
        The position's JSON.
    not_before : int
        Until when the sender asked for a pause, in milliseconds since the epoch.
    state : str
        What `release` was told of the poll before.
    """

    row: str
    owner: str
    position: str
    not_before: int
    state: str = ""


class Checkpoints:
    """The table of checkpoints.

    Parameters
    ----------
    dynamodb : LockTable
        Where tables are.
    clock : Callable[[], float]
        Epoch seconds.
    """

    def __init__(self, dynamodb: LockTable, table: str, clock: Callable[[], float]) -> None:
        self._dynamodb = dynamodb
        self._table = table
        self._clock = clock

    def acquire(self, row: str, seconds: float, start: str) -> Lease | None:
        """Take the lock of a feed.

        Parameters
        ----------
        row : str
            `<source>#<feed>`.
        start : str
            The position where there is none yet. It is written at once: a start that is counted
            from now would move on with every poll that fails.

        Returns
        -------
        Lease | None
            None where another poll has it.
        """
        now = self._now()
        owner = uuid.uuid4().hex
        answer = self._update(
            row,
            "SET #owner = :owner, #lease = :lease, #updated = :now, "
            "#position = if_not_exists(#position, :start)",
            # An update whose answer was lost is tried again by the client: it finds its own lock.
            "attribute_not_exists(#lease) OR #lease < :now OR #owner = :owner",
            {
                ":owner": {"S": owner},
                ":lease": {"N": str(now + int(seconds * 1000) + MARGIN_MS)},
                ":now": {"N": str(now)},
                ":start": {"S": start},
            },
        )
        if answer is None:
            return None
        item = answer["Attributes"]
        pause = int(item.get("not_before", {}).get("N", "0"))
        return Lease(row, owner, item["position"]["S"], pause, item.get("state", {}).get("S", ""))

    def write(self, lease: Lease, position: str) -> None:
        """Write the position.

        Raises
        ------
        LeaseLostError
            When another poll has the lock by now. What this one put on the stream is there twice
            then, and is dropped as a duplicate.
        """
        answer = self._update(
            lease.row,
            "SET #position = :position, #updated = :now",
            "#owner = :owner",
            {
                ":owner": {"S": lease.owner},
                ":position": {"S": position},
                ":now": {"N": str(self._now())},
            },
        )
        if answer is None:
            raise LeaseLostError(f"checkpoint {lease.row}: another poll has taken the lock")

    def release(self, lease: Lease, not_before: int = 0, state: str = "") -> bool:
        """Release the lock; tell whether it was still held.

        Parameters
        ----------
        lease : Lease
            From `acquire`.
        not_before : int
            Until when no poll may ask, in milliseconds since the epoch; 0 for no pause.
        state : str
            How the feed stands, for the next poll and for those who look at it.
        """
        values = {
            ":owner": {"S": lease.owner},
            ":now": {"N": str(self._now())},
            ":state": {"S": state},
        }
        pause = "#pause = :pause, " if not_before else ""
        if not_before:
            values[":pause"] = {"N": str(not_before)}
        expression = f"SET {pause}#state = :state, #updated = :now REMOVE #owner, #lease"
        return self._update(lease.row, expression, "#owner = :owner", values) is not None

    def _update(
        self, row: str, expression: str, condition: str, values: dict[str, Any]
    ) -> Mapping[str, Any] | None:
        used = {name: real for name, real in _NAMES.items() if name in expression + condition}
        try:
            return self._dynamodb.update_item(
                TableName=self._table,
                Key={"pk": {"S": row}},
                UpdateExpression=expression,
                ConditionExpression=condition,
                ExpressionAttributeNames=used,
                ExpressionAttributeValues=values,
                ReturnValues="ALL_NEW",
            )
        except ClientError as error:
            if error.response["Error"]["Code"] == "ConditionalCheckFailedException":
                return None
            raise PollError(f"checkpoint {row}: cannot be written: {error}") from None
        except BotoCoreError as error:
            raise PollError(f"checkpoint {row}: cannot be written: {error}") from None

    def _now(self) -> int:
        return int(self._clock() * 1000)
