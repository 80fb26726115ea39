"""What API Gateway answers by itself, in the form that the integration's answers have."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from aws_cdk import aws_apigateway as apigateway

from infra.application.mapping_templates import error_body
from pipeline.event.door_words import BASIC_CHALLENGE

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True)
class GatewayAnswer:
    """One gateway response. A status of None leaves API Gateway's own."""

    response_type: apigateway.ResponseType
    status: int | None
    error: str
    message: str
    retry_after: int | None = None
    challenge: str = ""

    @property
    def headers(self) -> dict[str, str]:
        """The headers, as the text constants of a mapping."""
        headers = {"Retry-After": f"'{self.retry_after}'"} if self.retry_after else {}
        return headers | ({"WWW-Authenticate": f"'{self.challenge}'"} if self.challenge else {})

    @property
    def body(self) -> str:
        """The template: static JSON, or API Gateway's own message where ours would know less."""
        if self.message:
            return error_body(self.error, self.message)
        return error_body(self.error, "@").replace('"@"', "$context.error.messageString")


def gateway_answers(*, ask_for_password: bool = False) -> Iterator[GatewayAnswer]:
    """Return every gateway response of the API.

    Parameters
    ----------
    ask_for_password : bool
        Whether a 401 asks for a password: some senders show one only then.

    What is too large for API Gateway itself (10 MB) is answered 413 with a body that cannot be
    changed (API Gateway Developer Guide, important notes).
    """
    kind = apigateway.ResponseType
    yield GatewayAnswer(
        kind.UNAUTHORIZED,
        401,
        "unauthorized",
        "The token is missing or wrong.",
        challenge=BASIC_CHALLENGE if ask_for_password else "",
    )
    yield GatewayAnswer(kind.ACCESS_DENIED, 403, "forbidden", "The sender is not let in.")
    # API Gateway calls a route that does not exist a missing authentication token, with 403.
    yield GatewayAnswer(
        kind.MISSING_AUTHENTICATION_TOKEN, 404, "not_found", "No source has this route and method."
    )
    yield GatewayAnswer(kind.BAD_REQUEST_BODY, 400, "bad_request", "The body is not acceptable.")
    yield GatewayAnswer(
        kind.UNSUPPORTED_MEDIA_TYPE,
        415,
        "unsupported_media_type",
        "The source does not send this Content-Type or Content-Encoding.",
    )
    yield GatewayAnswer(kind.THROTTLED, 429, "throttled", "Too many requests.", retry_after=1)
    # 500 and not 401 or 403: some senders never send again what was answered with 4xx.
    for failed in (kind.AUTHORIZER_FAILURE, kind.AUTHORIZER_CONFIGURATION_ERROR):
        yield GatewayAnswer(
            failed, 500, "authorizer_failed", "The sender could not be checked.", retry_after=5
        )
    for failed in (kind.INTEGRATION_FAILURE, kind.INTEGRATION_TIMEOUT):
        yield GatewayAnswer(
            failed,
            503,
            "unavailable",
            "The event may not have been taken. Send it again.",
            retry_after=1,
        )
    yield GatewayAnswer(kind.DEFAULT_4_XX, None, "bad_request", "")
    yield GatewayAnswer(kind.DEFAULT_5_XX, None, "internal_error", "The event was not taken.")


def add_gateway_responses(api: apigateway.RestApi, *, ask_for_password: bool = False) -> None:
    """Define the gateway responses of the API."""
    for answer in gateway_answers(ask_for_password=ask_for_password):
        name = answer.response_type.response_type
        api.add_gateway_response(
            "".join(word.capitalize() for word in name.split("_")),
            type=answer.response_type,
            status_code=str(answer.status) if answer.status else None,
            response_headers=answer.headers or None,
            templates={"application/json": answer.body},
        )
