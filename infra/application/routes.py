"""The routes of the front door: one for each source, with the methods that it needs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_cdk import Fn, Stack
from aws_cdk import aws_apigateway as apigateway

from infra.application.checks import acknowledge
from infra.application.front_door_guards import is_exposed
from infra.application.mapping_templates import (
    accepted_response,
    handshake_response,
    put_record_request,
    refused_response,
)
from pipeline.event.door_words import TOKEN_PARAMETER

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from aws_cdk import aws_iam as iam
    from aws_cdk import aws_kinesis as kinesis

    from infra.application.authorizer import AuthorizerFunction
    from infra.application.receiver import ReceiverFunction
    from settings.source.handshake import FixedAnswer
    from settings.source.loader import LoadedSource

TO_KINESIS = "'application/x-amz-json-1.1'"


class Routes:
    """Adds routes to an API.

    Parameters
    ----------
    stream : kinesis.Stream
        Where the envelopes go.
    authorizer : AuthorizerFunction
        Who is asked before each request that goes straight to the stream.
    receiver : ReceiverFunction or None
        Who takes the requests of the sources that choose it.
    unbound_headers : Collection[str]
        Headers, in lower case, whose delivery ids are to choose no shard.
    largest_record : int
        The bytes that one record of the stream may have.
    public_url : str
        The address of the stage: what senders are given, without the source.
    """

    def __init__(
        self,
        api: apigateway.RestApi,
        *,
        stream: kinesis.Stream,
        role: iam.Role,
        authorizer: AuthorizerFunction,
        receiver: ReceiverFunction | None,
        unbound_headers: Collection[str] = (),
        largest_record: int,
        public_url: str,
    ) -> None:
        self._api = api
        self._public_url = public_url
        self._largest_record = largest_record
        self._unbound = unbound_headers
        self._stream = stream
        self._role = role
        self._authorizer = authorizer
        self._receiver = receiver

    def add(self, source: LoadedSource) -> None:
        """Add the methods of a source's route."""
        resource = self._api.root.add_resource(source.name)
        if source.settings.token and source.settings.token.path:
            resource = resource.add_resource(f"{{{TOKEN_PARAMETER}}}")
        # No method has API Gateway look for required headers: it is documented to process their
        # names with their case, and a relay or HTTP/2 writes them in lower case. The mapping
        # template looks for them, or the receiver, in any case.
        if source.settings.ingest == "receiver":
            self._received(resource, source)
        else:
            self._direct(resource, source)
        self._handshakes(resource, source)

    def _direct(self, resource: apigateway.Resource, source: LoadedSource) -> None:
        integration = self._integration(source)
        missing = ["400"] if source.settings.headers.require else []
        for name in source.settings.methods:
            method = resource.add_method(
                name,
                integration,
                authorizer=self._authorizer.for_source(source.settings),
                method_responses=[
                    _taken_response(source.settings.answer),
                    *_method_responses(*missing, "413", "503"),
                ],
            )
            acknowledge(
                method,
                {"COG4": "Senders are machines: an authorizer checks their token or address."},
            )

    def _received(self, resource: apigateway.Resource, source: LoadedSource) -> None:
        if self._receiver is None:
            raise AssertionError("the stack makes a receiver when a source chooses it")
        for name in source.settings.methods:
            _add_open(
                resource,
                name,
                self._receiver,
                "The function behind it checks network, token and signature before it takes "
                "anything. An authorizer sees no body, so it could not check a signature.",
            )

    def _handshakes(self, resource: apigateway.Resource, source: LoadedSource) -> None:
        """Add the methods by which no event comes."""
        if mirror := source.settings.mirror:
            _answer_handshake(resource, *mirror)
        asked = {rule.when.method for rule in source.settings.handshake_rules}
        for name in sorted(asked - {"POST"} - ({"GET"} if mirror else set())):
            if self._receiver is None:
                raise AssertionError("the stack makes a receiver when a source needs it")
            _add_open(
                resource,
                name,
                self._receiver,
                "A sender asks so whether the address is its owner's, before it has any proof. The "
                "function behind it looks at the sender's network, answers by the source's rules, "
                "and puts nothing on the stream.",
            )

    def _integration(self, source: LoadedSource) -> apigateway.AwsIntegration:
        settings = source.settings
        header = settings.delivery_id.header if settings.delivery_id else None
        template = put_record_request(
            source=source.name,
            stream_name=self._stream.stream_name,
            keep=settings.headers.keep,
            delivery_id=header,
            key_prefix=f"{_secret_of(self._api)}-",
            keyed=not (is_exposed(source) and header and header.lower() in self._unbound),
            required=settings.headers.require,
            largest_record=self._largest_record,
            scheme=settings.signing.scheme if settings.signing else "",
            pseudo_headers=settings.pseudo_headers,
            url=f"{self._public_url}/{source.name}".replace(":", "%3A").replace("/", "%2F"),
        )
        return apigateway.AwsIntegration(
            service="kinesis",
            action="PutRecord",
            integration_http_method="POST",
            options=apigateway.IntegrationOptions(
                credentials_role=self._role,
                # Anything else hands the sender's own body to Kinesis as the call.
                passthrough_behavior=apigateway.PassthroughBehavior.NEVER,
                content_handling=apigateway.ContentHandling.CONVERT_TO_TEXT,
                request_parameters={"integration.request.header.Content-Type": TO_KINESIS},
                request_templates=dict.fromkeys(settings.content_types, template),
                integration_responses=_integration_responses(
                    settings.headers.require, settings.answer
                ),
            ),
        )


def _secret_of(api: apigateway.RestApi) -> str:
    """Return a text of this stack that no stranger knows, and that never changes.

    The last part of a stack's id is a UUID that CloudFormation makes up (AWS CloudFormation User
    Guide, pseudo parameters). It is in no answer; who may look into the account sees it.
    """
    return Fn.select(2, Fn.split("/", Stack.of(api).stack_id))


def route_of(source: LoadedSource) -> str:
    """Return the path of a source's route, without the slash before it."""
    token = source.settings.token
    return f"{source.name}/{{{TOKEN_PARAMETER}}}" if token and token.path else source.name


def has_route(source: LoadedSource) -> bool:
    """Tell whether a source's events are posted to this API; those of a polled one are fetched."""
    return source.settings.ingest != "poll"


def _answer_handshake(resource: apigateway.Resource, header: str, field: str) -> None:
    """Return a header of a GET, without a function.

    With binary media types of `*/*`, a mock without `CONVERT_TO_TEXT` fails with 500: its template
    cannot read what is binary (reported for CORS preflights, aws/chalice issue 1310).
    """
    to_text = apigateway.ContentHandling.CONVERT_TO_TEXT
    template = handshake_response(header=header, field=field)
    method = resource.add_method(
        "GET",
        apigateway.MockIntegration(
            passthrough_behavior=apigateway.PassthroughBehavior.NEVER,
            content_handling=to_text,
            # A request without a Content-Type, as a GET is, counts as JSON.
            request_templates={"application/json": '{"statusCode":200}'},
            integration_responses=[
                apigateway.IntegrationResponse(
                    status_code="200",
                    content_handling=to_text,
                    response_templates={"application/json": template},
                )
            ],
        ),
        authorization_type=apigateway.AuthorizationType.NONE,
        method_responses=_method_responses("200", "400"),
    )
    _acknowledge_open(
        method,
        "A sender's one-off handshake carries no secret. It is answered with its own header, "
        "reaches no function and no stream, and is throttled with the stage.",
    )


def _method_responses(*statuses: str) -> list[apigateway.MethodResponse]:
    return [apigateway.MethodResponse(status_code=status) for status in statuses]


def _add_open(
    resource: apigateway.Resource, name: str, receiver: ReceiverFunction, reason: str
) -> None:
    """Add a method that the receiver answers, without an authorizer."""
    method = resource.add_method(
        name, receiver.integration(), authorization_type=apigateway.AuthorizationType.NONE
    )
    _acknowledge_open(method, reason)


def _acknowledge_open(method: apigateway.Method, reason: str) -> None:
    acknowledge(method, {"APIG4": reason, "COG4": reason})


def _taken_response(answer: FixedAnswer | None) -> apigateway.MethodResponse:
    if answer is None:
        return apigateway.MethodResponse(status_code="200")
    return apigateway.MethodResponse(
        status_code=str(answer.status),
        response_parameters={f"method.response.header.{name}": True for name in answer.headers}
        or None,
    )


def _taken(answer: FixedAnswer | None) -> apigateway.IntegrationResponse:
    """Return what is answered for a record that Kinesis took."""
    if answer is None:
        status, templates = "200", {"application/json": accepted_response()}
    else:
        status, templates = str(answer.status), {answer.media_type: answer.body}
    headers = answer.headers if answer else {}
    return apigateway.IntegrationResponse(
        status_code=status,
        selection_pattern="200",
        content_handling=apigateway.ContentHandling.CONVERT_TO_TEXT,
        response_parameters={
            f"method.response.header.{name}": f"'{text}'" for name, text in headers.items()
        }
        or None,
        response_templates=templates,
    )


def _integration_responses(
    required: Sequence[str], answer: FixedAnswer | None
) -> list[apigateway.IntegrationResponse]:
    """Return the mapping of Kinesis's answers.

    API Gateway matches the pattern with the HTTP status of Kinesis; the response without a
    pattern takes everything else, so it must not be the 200. There can be one response for each
    status that the sender sees (API reference, Integration: `integrationResponses` is a map by
    status code), so 4xx and 5xx share the 503, whose template turns it into 413 or 400 where that
    fits.
    """
    return [
        _taken(answer),
        apigateway.IntegrationResponse(
            status_code="503",
            content_handling=apigateway.ContentHandling.CONVERT_TO_TEXT,
            response_templates={"application/json": refused_response(required)},
        ),
    ]
