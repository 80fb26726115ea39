"""Looks at the messages of the emulator's queues without receiving them.

SQS has no such call: whoever wants to see a message receives it, and after so many receives a
redrive policy moves it away. So the emulator answers one more, and it alone.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.errors import PipelineError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from local.endpoints import Endpoints

LOOK = "LookAtMessages"
#: Of one answer.
MOST_MESSAGES, MOST_BYTES = 500, 8 * 1024 * 1024
_SECONDS = 60.0


class QueueLookError(PipelineError):
    """The emulator does not show its queues."""


@dataclass(frozen=True)
class SeenMessage:
    """A message as it lies in its queue.

    Parameters
    ----------
    number : int
        Its place in the order in which messages were sent to this queue.
    sent : float
        In epoch seconds.
    receives : int
        How often it was received.
    place : str
        `visible`, `in flight` or `delayed`.
    """

    number: int
    id: str
    body: str
    sent: float
    receives: int
    place: str


def oldest_in(where: Endpoints, url: str) -> SeenMessage | None:
    """Return the first message that was sent of those that a queue has; None where it has none.

    Raises
    ------
    QueueLookError
        When the emulator does not answer.
    """
    return next(iter(_ask(where, url, -1, most=1)), None)


def look_at(where: Endpoints, url: str, after: int = -1) -> Iterator[SeenMessage]:
    """Return a queue's messages in the order in which they were sent, those in flight included.

    Parameters
    ----------
    url : str
        The queue's.
    after : int
        Only those with a greater number.

    Raises
    ------
    QueueLookError
        When the emulator does not answer.
    """
    while True:
        found = _ask(where, url, after)
        yield from found
        if not found:
            return
        after = found[-1].number


def _ask(where: Endpoints, queue: str, after: int, most: int = MOST_MESSAGES) -> list[SeenMessage]:
    # What signs is loaded where a queue is looked at, and not where the emulator starts.
    import urllib.request
    from urllib.error import HTTPError

    from botocore.auth import SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials

    body = json.dumps({"QueueUrl": queue, "After": after, "Most": most}).encode()
    headers = {"Content-Type": "application/x-amz-json-1.0", "X-Amz-Target": f"AmazonSQS.{LOOK}"}
    asked = AWSRequest("POST", f"{where.aws_endpoint_url}/", data=body, headers=headers)
    own = where.credentials
    key = Credentials(own.access_key_id, own.secret_access_key)
    SigV4Auth(key, "sqs", where.region).add_auth(asked)
    url, signed = f"{where.aws_endpoint_url}/", dict(asked.headers)
    request = urllib.request.Request(url, body, signed)  # noqa: S310 - of this machine
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=_SECONDS) as answer:
            messages = json.load(answer)["Messages"]
    except HTTPError as error:
        if b"QueueDoesNotExist" in error.read(MOST_BYTES):
            name = queue.rpartition("/")[2]
            raise QueueLookError(
                f"{name}: there is no such queue any more", then="status"
            ) from None
        raise QueueLookError(f"{where.aws_endpoint_url}: {error}") from None
    except (OSError, ValueError, KeyError) as error:
        raise QueueLookError(f"{where.aws_endpoint_url}: {error}; is the pipeline up?") from None
    return [
        SeenMessage(
            one["Number"],
            one["MessageId"],
            one["Body"],
            one["SentAt"],
            one["ReceiveCount"],
            one["Place"],
        )
        for one in messages
    ]
