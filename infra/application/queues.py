"""The SQS queues that MozDef reads, each with a redrive queue of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from pipeline.aws.limits import MESSAGE_BYTES
from settings.deployment import DeploymentError, StageQueue
from settings.names import REDRIVE, full_queue_names, queue_faults

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from aws_cdk import aws_kms as kms

MAXIMUM_RECEIVE_COUNT = 10


class EventQueues(Construct):
    """Queues by the names that sources give them, and those that the stage keeps.

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
        of a queue that no source has, and does not keep it.
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
        kept = sorted(name for name, each in own.items() if each.keep and name not in wanted)
        if strange := sorted(own.keys() - {*wanted, *kept}):
            raise DeploymentError(
                f"queues.{strange[0]}: no source has this queue; there are {', '.join(wanted)}"
            )
        self.full_names = full_queue_names(prefix, [*wanted, *kept], own)
        if faults := [fault for _, fault in queue_faults(self.full_names)]:
            raise DeploymentError(*faults)
        made = {
            name: self._pair(full_name.removeprefix(f"{prefix}-"), full_name, own.get(name))
            if full_name.startswith(f"{prefix}-")
            else self._pair(f"named {full_name}", full_name, own.get(name))
            for name, full_name in self.full_names.items()
        }
        self.queues = {name: made[name] for name in wanted}

    def _pair(self, construct_id: str, full_name: str, own: StageQueue | None) -> sqs.Queue:
        """Make a queue and its redrive queue.

        Parameters
        ----------
        construct_id : str
            It follows from the full name: whichever source has the queue, it is the same resource,
            so that one that is kept is taken up again, and not made a second time.
        """
        settings = own or StageQueue()
        redrive = sqs.Queue(
            self,
            f"{construct_id}{REDRIVE}",
            queue_name=f"{full_name}{REDRIVE}",
            retention_period=Duration.days(14),
            **queue_encryption(self._key),
            enforce_ssl=True,
            max_message_size_bytes=MESSAGE_BYTES,
            removal_policy=RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
        )
        return sqs.Queue(
            self,
            construct_id,
            queue_name=full_name,
            retention_period=Duration.days(settings.retention_days),
            receive_message_wait_time=Duration.seconds(settings.receive_wait_seconds),
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
