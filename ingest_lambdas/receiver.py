"""The receiver of the front door: verifies a request before it is taken, and answers handshakes.

What it cannot decide it answers with 503: some senders never send again what was answered with 4xx.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools import Logger

from pipeline.aws.account import Account
from pipeline.aws.clients import Kinesis, WritableSsm
from pipeline.aws.connections import ClientConfig
from pipeline.event.compiled_source import Catalog, load_catalog
from pipeline.event.secrets import SecretError
from pipeline.polling.fetched_keys import FetchedKeys, lookup
from pipeline.receiving.acceptance import answer_event, make_envelope, put_envelope
from pipeline.receiving.admission import source_of
from pipeline.receiving.answers import Answer, unavailable, without_body
from pipeline.receiving.handshake import answer_handshake, answer_unproven
from pipeline.receiving.request import Request, read_request, refuse_forgery, refuse_stranger
from pipeline.receiving.subscribing import Visit, confirm_subscription
from pipeline.runtime import metrics
from pipeline.runtime.environment import ReceiverEnvironment
from pipeline.runtime.secret_store import SecretStore

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aws_lambda_powertools.utilities.typing import LambdaContext

    from pipeline.aws.seams import Stream
    from pipeline.receiving.learning import Learning

logger = Logger()
#: Zoom and Slack wait three seconds. A second attempt comes too late for them, but the event is
#: then on the stream, and what they send again is a duplicate of it.
CLIENT = ClientConfig(connect_timeout=1.0, read_timeout=1.5, attempts=2)


@dataclass(frozen=True)
class Receiver:
    """The way of a request, with the services that it needs."""

    catalog: Catalog
    secrets: SecretStore
    kinesis: Stream
    stream: str
    public_url: str = ""
    learning: Learning | None = None
    #: Asks the internet for what is at an address; the module that can is loaded at the first.
    visit: Visit = lookup

    def receive(self, event: Mapping[str, Any]) -> tuple[Request, Answer]:
        """Take one request to the stream, or say why not.

        Parameters
        ----------
        event : Mapping[str, Any]
            The event of a Lambda proxy integration.

        Raises
        ------
        UnknownRouteError
            When the route belongs to no source.
        """
        source = source_of(self.catalog, event["resource"])
        request = read_request(event, source, self.public_url)
        try:
            answer = (
                answer_unproven(request, self.secrets, self.learning)
                or refuse_stranger(request)
                or refuse_forgery(request, self.secrets)
                or answer_handshake(request, self.secrets)
                or confirm_subscription(request, self.visit)
                or self._take(request)
            )
        except SecretError as error:
            answer = unavailable(str(error))
        return request, without_body(source.answer, answer)

    def _take(self, request: Request) -> Answer:
        envelope = make_envelope(request)
        failed = put_envelope(envelope, self.kinesis, self.stream)
        return failed or answer_event(request, envelope)


@cache
def receiver() -> Receiver:
    """Make the receiver of this process, on its first invocation."""
    environment = ReceiverEnvironment.read(os.environ)
    account = Account.read(os.environ)
    catalog, ssm = load_catalog(), WritableSsm(account, CLIENT)
    secrets = SecretStore(ssm, environment.project, environment.stage, keys=FetchedKeys())
    return Receiver(
        catalog=catalog,
        secrets=secrets,
        kinesis=Kinesis(account, CLIENT),
        stream=environment.stream_name,
        public_url=environment.public_url,
        learning=_learning(catalog, ssm, secrets, environment),
    )


def _learning(
    catalog: Catalog, ssm: WritableSsm, secrets: SecretStore, environment: ReceiverEnvironment
) -> Learning | None:
    if not any(rule.learn for one in catalog.sources.values() for rule in one.handshakes):
        return None
    from pipeline.receiving.learning import Learning  # few senders say their secret once

    return Learning(ssm, secrets, environment.project, environment.stage)


def handler(event: Mapping[str, Any], context: LambdaContext) -> dict[str, Any]:  # noqa: ARG001
    """Answer one request."""
    request, answer = receiver().receive(event)
    report(request, answer)
    return answer.response()


def report(request: Request, answer: Answer) -> None:
    """Count the request and log one line for it: no body, no header, no secret."""
    metrics.emit_answer(request.source.name, answer.verdict, answer.reason)
    logger.info(
        answer.verdict.value,
        extra={
            "source": request.source.name,
            "id": request.id,
            "status": answer.status,
            "reason": answer.reason,
            "explanation": answer.explanation,
        },
    )
