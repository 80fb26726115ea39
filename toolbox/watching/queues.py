"""What is in the queues of a deployment."""

from __future__ import annotations

from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from toolbox.watching.status import QueueState, WatchError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from toolbox.seams import CountedQueue

#: SQS's code for a queue that is gone; its newer protocol calls it otherwise.
_NO_SUCH = ("AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist")
_WAITING, _TAKEN = "ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"


def queue_name(url: str) -> str:
    """Return the name in a queue's URL."""
    return url.rstrip("/").rpartition("/")[2]


def read_queue(
    sqs: CountedQueue, url: str, name: str, ages: Mapping[str, float | None] | None = None
) -> QueueState:
    """Ask SQS how many messages a queue has. It does not tell how old they are.

    Receiving one to see would count as one of the receives after which it is moved away.

    Parameters
    ----------
    ages : Mapping[str, float | None], optional
        The ages of the oldest messages by the queues' full names, where something measures them.

    Raises
    ------
    WatchError
        When SQS cannot be asked.
    """
    try:
        answer = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=[_WAITING, _TAKEN])
    except (BotoCoreError, ClientError) as error:
        if isinstance(error, ClientError) and error.response["Error"]["Code"] in _NO_SUCH:
            return QueueState(name, 0, 0, None, is_there=False)
        raise WatchError(f"{queue_name(url)}: cannot be looked at: {error}") from None
    attributes = answer["Attributes"]
    waiting, taken = int(attributes[_WAITING]), int(attributes[_TAKEN])
    age = (ages or {}).get(queue_name(url)) if waiting + taken else None
    return QueueState(name, waiting, taken, age)
