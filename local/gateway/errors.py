"""The refusals of the gateway itself: what API Gateway calls gateway responses."""

from __future__ import annotations

from typing import NamedTuple

from pipeline.errors import PipelineError


class Default(NamedTuple):
    """A gateway response as it is when the template does not customise it."""

    status: int
    message: str | None
    error_type: str


#: Type of gateway response to its default. The messages are those that API Gateway sends.
DEFAULTS = {
    "ACCESS_DENIED": Default(
        403, "User is not authorized to access this resource", "AccessDeniedException"
    ),
    "API_CONFIGURATION_ERROR": Default(
        500, "Internal server error", "InternalServerErrorException"
    ),
    "AUTHORIZER_CONFIGURATION_ERROR": Default(500, None, "AuthorizerConfigurationException"),
    "AUTHORIZER_FAILURE": Default(500, None, "AuthorizerConfigurationException"),
    "BAD_REQUEST_PARAMETERS": Default(400, "Bad Request", "BadRequestException"),
    "INTEGRATION_FAILURE": Default(
        504, "Network error communicating with endpoint", "InternalServerErrorException"
    ),
    "INTEGRATION_TIMEOUT": Default(
        504, "Endpoint request timed out", "InternalServerErrorException"
    ),
    "MISSING_AUTHENTICATION_TOKEN": Default(
        403, "Missing Authentication Token", "MissingAuthenticationTokenException"
    ),
    "REQUEST_TOO_LARGE": Default(413, "Request Too Long", "RequestTooLargeException"),
    "THROTTLED": Default(429, "Too Many Requests", "TooManyRequestsException"),
    "UNAUTHORIZED": Default(401, "Unauthorized", "UnauthorizedException"),
    "UNSUPPORTED_MEDIA_TYPE": Default(
        415, "Unsupported Media Type", "UnsupportedMediaTypeException"
    ),
}


class GatewayError(PipelineError):
    """The gateway refuses a request.

    Parameters
    ----------
    response_type : str
        The type of gateway response, a key of `DEFAULTS`.
    message : str | None
        What the sender reads; by default the type's own message.
    reason : str
        What the log says besides; never sent.
    """

    def __init__(
        self,
        response_type: str,
        message: str | None = None,
        *,
        reason: str = "",
        status: int | None = None,
    ) -> None:
        self.response_type = response_type
        self.message = message or DEFAULTS[response_type].message
        self.reason = reason
        self.status = status or DEFAULTS[response_type].status
        super().__init__(f"{response_type}: {reason or self.message}")
