"""The SQS queues that MozDef reads, each with a redrive queue of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from pipeline.aws.limits import MESSAGE_BYTES
from settings.deployment import DeploymentError, StageQueue

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from aws_cdk import aws_kms as kms

MAXIMUM_RECEIVE_COUNT = 10
QUEUE_NAME_LIMIT = 80
"""Amazon SQS Developer Guide, quotas: characters in the name of a queue."""

REDRIVE = "-redrive"


class EventQueues(Construct):
    """Queues by the names that sources give them.

    A queue has a set name, `<stack>-<queue>` or the stage's own: MozDef's worker is configured with
    it, and adds it to the tags of each event. A message keeps its age when it moves to the redrive
    queue, which keeps it for the 14 days that SQS can: the more it has of the queue's own, the
    shorter it is there.

    Parameters
    ----------
    prefix : str
        What stands before each queue's name, without the hyphen.
    own : Mapping[str, StageQueue]
        What the stage says of single queues.
    key : kms.IKey, optional
        Encrypts them; without one, the key that AWS manages does.

    Raises
    ------
    DeploymentError
        When a name would be too long, or is taken by another queue; when the stage says something
        of a queue that no source has.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        prefix: str,
        names: Iterable[str],
        own: Mapping[str, StageQueue] | None = None,
        key: kms.IKey | None = None,
    ) -> None:
        super().__init__(scope, construct_id)
        self._key = key
        own = own or {}
        wanted = sorted(set(names))
        if strange := sorted(own.keys() - set(wanted)):
            raise DeploymentError(
                f"queues.{strange[0]}: no source has this queue; there are {', '.join(wanted)}"
            )
        full_names = {name: _full_name(prefix, name, own.get(name)) for name in wanted}
        _check_distinct(full_names)
        self.queues = {
            name: self._pair(name, full_name, own.get(name) or StageQueue())
            for name, full_name in full_names.items()
        }

    def _pair(self, name: str, full_name: str, settings: StageQueue) -> sqs.Queue:
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
            retention_period=Duration.days(settings.retention_days),
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


def _full_name(prefix: str, name: str, own: StageQueue | None) -> str:
    full_name = own.full_name if own and own.full_name else f"{prefix}-{name}"
    _check_name(name, full_name)
    return full_name


def _check_distinct(full_names: Mapping[str, str]) -> None:
    named: dict[str, str] = {}
    for name, full_name in full_names.items():
        if full_name in named:
            raise DeploymentError(f"queues {named[full_name]} and {name}: both are {full_name}")
        named[full_name] = name


def _check_name(name: str, full_name: str) -> None:
    if name.endswith(REDRIVE) or full_name.endswith(REDRIVE):
        raise DeploymentError(f"queue {name}: a name that ends in {REDRIVE} is kept for the pair")
    length = len(full_name) + len(REDRIVE)
    if length > QUEUE_NAME_LIMIT:
        raise DeploymentError(
            f"queue {full_name}{REDRIVE}: {length} characters, and SQS takes {QUEUE_NAME_LIMIT}; "
            "shorten the queue's name, or project, service or stage"
        )
