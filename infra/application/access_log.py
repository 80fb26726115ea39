"""What a line of an API's access log says: no header, no query, no body, no secret."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from settings.deployment_protection import AccessLog

ACCESS_LOG = {
    "id": "$context.extendedRequestId",
    "ip": "$context.identity.sourceIp",
    "path": "$context.resourcePath",
    "status": "$context.status",
    "error": "$context.error.responseType",
    "integration_status": "$context.integration.status",
    "latency": "$context.responseLatency",
}
"""CloudWatch bills its bytes, and each line has the time by itself. What filters and saved queries
ask for is here; the rest is in the full form."""

FULL_ACCESS_LOG = {
    **ACCESS_LOG,
    "request_id": "$context.requestId",
    "time": "$context.requestTimeEpoch",
    "method": "$context.httpMethod",
    "authorizer_status": "$context.authorizer.status",
    "integration_latency": "$context.integration.latency",
    "response_length": "$context.responseLength",
}
"""With what AWS's support asks for, and where a slow answer's time went."""


def access_log(form: AccessLog, *, http_api: bool = False) -> str:
    """Return the format of a stage's access log, as JSON on one line."""
    fields = dict(FULL_ACCESS_LOG if form == "full" else ACCESS_LOG)
    if http_api:
        # API Gateway Developer Guide, HTTP API access logs: method and route in one, and nothing of
        # a Lambda authorizer that is not there.
        fields["path"] = "$context.routeKey"
        fields.pop("authorizer_status", None)
    return json.dumps(fields, separators=(",", ":"))
