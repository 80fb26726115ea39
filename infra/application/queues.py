"""The SQS queues that MozDef reads, each with a redrive queue of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from pipeline.aws.limits import MESSAGE_BYTES
from settings.deployment import DeploymentError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from aws_cdk import aws_kms as kms

MAXIMUM_RECEIVE_COUNT = 10
QUEUE_NAME_LIMIT = 80
"""Amazon SQS Developer Guide, quotas: characters in the name of a queue."""

REDRIVE = "-redrive"


class EventQueues(Construct):
    """Queues by the names that sources give them.

    A queue has a set name, `<stack>-<queue>`: MozDef's worker is configured with it, and adds it
    to the tags of each event. An expired message keeps its age when it moves to the redrive queue,
    so the redrive queue's retention is the longer one.

    Parameters
    ----------
    prefix : str
        What stands before each queue's name, without the hyphen.
    key : kms.IKey, optional
        Encrypts them; without one, the key that AWS manages does.

    Raises
    ------
    DeploymentError
        When a name would be too long, or is taken by a redrive queue.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        prefix: str,
        names: Iterable[str],
        key: kms.IKey | None = None,
    ) -> None:
        super().__init__(scope, construct_id)
        self._key = key
        self.queues = {name: self._pair(prefix, name) for name in sorted(set(names))}

    def _pair(self, prefix: str, name: str) -> sqs.Queue:
        full_name = f"{prefix}-{name}"
        _check_name(name, full_name)
        redrive = sqs.Queue(
            self,
            f"{name}{REDRIVE}",
            queue_name=f"{full_name}{REDRIVE}",
            retention_period=Duration.days(14),
            **queue_encryption(self._key),
            enforce_ssl=True,
            max_message_size_bytes=MESSAGE_BYTES,
            removal_policy=RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
        )
        return sqs.Queue(
            self,
            name,
            queue_name=full_name,
            retention_period=Duration.days(7),
            **queue_encryption(self._key),
            enforce_ssl=True,
            max_message_size_bytes=MESSAGE_BYTES,
            dead_letter_queue=sqs.DeadLetterQueue(
                queue=redrive, max_receive_count=MAXIMUM_RECEIVE_COUNT
            ),
            removal_policy=RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
        )


class QueueEncryption(TypedDict, total=False):
    """The parameters of a queue that say how it is encrypted."""

    encryption: sqs.QueueEncryption
    encryption_master_key: kms.IKey
    data_key_reuse: Duration


def queue_encryption(key: kms.IKey | None) -> QueueEncryption:
    """Say how a queue is encrypted.

    Parameters
    ----------
    key : kms.IKey or None
        The stack's key, if it has one. SQS then asks for a new data key once an hour: with its
        default of five minutes, the calls to KMS could cost more than the queue.
    """
    if key is None:
        return {"encryption": sqs.QueueEncryption.SQS_MANAGED}
    return {
        "encryption": sqs.QueueEncryption.KMS,
        "encryption_master_key": key,
        "data_key_reuse": Duration.hours(1),
    }


def _check_name(name: str, full_name: str) -> None:
    if name.endswith(REDRIVE):
        raise DeploymentError(f"queue {name}: a name that ends in {REDRIVE} is kept for the pair")
    length = len(full_name) + len(REDRIVE)
    if length > QUEUE_NAME_LIMIT:
        raise DeploymentError(
            f"queue {full_name}{REDRIVE}: {length} characters, and SQS takes {QUEUE_NAME_LIMIT}; "
            "shorten the queue's name, or project, service or stage"
        )
