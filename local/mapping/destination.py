"""Writes what was given up to the mapping's failure destination."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from local.mapping.failure_record import failure_key, failure_record, with_payload

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable

    from local.clients import Clients
    from local.mapping.decision import Failure
    from local.mapping.settings import MappingSettings

_RETRY_SECONDS = 1.0
_log = logging.getLogger(__name__)


class Destination:
    """The bucket or the queue that a mapping's `OnFailure` names.

    Parameters
    ----------
    clock : Callable[[], float]
        The time, in seconds since the epoch.
    """

    def __init__(
        self,
        settings: MappingSettings,
        clients: Clients,
        clock: Callable[[], float],
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._clients = clients
        self._service, self._account, self._name = "", "", ""
        if settings.destination:
            _, _, self._service, _, self._account, self._name = settings.destination.split(":", 5)

    def write(
        self, shard_id: str, failure: Failure, request_id: str, stop: threading.Event
    ) -> bool:
        """Write a failure, again and again until it is written.

        AWS drops it when the destination fails. Here it waits, because the shard's checkpoint must
        not pass records of which nothing tells any more.

        Returns
        -------
        bool
            Whether it was written (or there is no destination) before the mapping was stopped.
        """
        while self._service:
            try:
                self._send(shard_id, failure, request_id)
            except (BotoCoreError, ClientError) as error:
                _log.warning("%s: %s: %s", self._settings.logical_id, self._name, error)
                if stop.wait(_RETRY_SECONDS):
                    return False
            else:
                break
        return True

    def _send(self, shard_id: str, failure: Failure, request_id: str) -> None:
        now = self._clock()
        document = failure_record(self._settings, shard_id, failure, request_id=request_id, now=now)
        if self._service == "s3":
            self._clients("s3").put_object(
                Bucket=self._name,
                Key=failure_key(self._settings, shard_id, now),
                Body=json.dumps(with_payload(document, self._settings, shard_id, failure)).encode(),
            )
            return
        sqs = self._clients("sqs")
        # As Lambda, which needs no permission to look for the queue.
        url = f"{sqs.meta.endpoint_url}/{self._account}/{self._name}"
        sqs.send_message(QueueUrl=url, MessageBody=json.dumps(document))
