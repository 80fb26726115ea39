"""A gateway on a loopback port, templates for it, and fakes for what is behind it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from aiohttp import ClientSession, web

from local.gateway.app import Gateway
from local.template import Template
from tests.functional.local.gateway.fakes import FakeFunction, FakeKinesis

if TYPE_CHECKING:
    from local.invocation import InvokeFunction

T = TypeVar("T")

REGION = "us-west-2"
KINESIS = f"arn:aws:apigateway:{REGION}:kinesis:action/PutRecord"
LAMBDA = {
    "Fn::Join": [
        "",
        [
            f"arn:aws:apigateway:{REGION}:lambda:path/2015-03-31/functions/",
            {"Fn::GetAtt": ["Function", "Arn"]},
            "/invocations",
        ],
    ]
}
PUT = '{"StreamName":"events","PartitionKey":"k","Data":"$input.body"}'
SHOW_ANSWER = (
    '#if($input.body.startsWith("{"))$input.body#{else}$util.base64Decode($input.body)#end'
)
JSON_TYPE = {"integration.request.header.Content-Type": "'application/x-amz-json-1.1'"}


def kinesis(**changes: Any) -> dict[str, Any]:
    """Return an integration that puts the untouched body on a stream."""
    return {
        "Type": "AWS",
        "IntegrationHttpMethod": "POST",
        "Uri": KINESIS,
        "PassthroughBehavior": "NEVER",
        "ContentHandling": "CONVERT_TO_TEXT",
        "RequestParameters": JSON_TYPE,
        "RequestTemplates": {"application/json": PUT},
        "IntegrationResponses": [
            {
                "StatusCode": "200",
                "ContentHandling": "CONVERT_TO_TEXT",
                "ResponseTemplates": {"application/json": SHOW_ANSWER},
            }
        ],
        **changes,
    }


def mock(response: str = "", request: str = '{"statusCode": 200}', **changes: Any) -> Any:
    """Return a mock integration that renders a response template."""
    return {
        "Type": "MOCK",
        "PassthroughBehavior": "NEVER",
        "RequestTemplates": {"application/json": request},
        "IntegrationResponses": [
            {"StatusCode": "200", "ResponseTemplates": {"application/json": response}}
        ],
        **changes,
    }


class ApiTemplate:
    """Builds a template with a REST API."""

    def __init__(self, *, binary: bool = False, stage: Mapping[str, Any] | None = None) -> None:
        api: dict[str, Any] = {"Name": "test"}
        if binary:
            api["BinaryMediaTypes"] = ["*/*"]
        self.resources: dict[str, dict[str, Any]] = {}
        self.add("Api", "RestApi", api, api=False)
        self.add("Stage", "Stage", {"StageName": "dev", **(stage or {})})
        self.resources["Function"] = {"Type": "AWS::Lambda::Function", "Properties": {}}

    def add(self, name: str, kind: str, properties: Any, *, api: bool = True) -> str:
        """Add a resource of `AWS::ApiGateway`."""
        if api:
            properties = {"RestApiId": {"Ref": "Api"}, **properties}
        self.resources[name] = {"Type": f"AWS::ApiGateway::{kind}", "Properties": properties}
        return name

    def method(self, path: str, http_method: str, integration: Any, **properties: Any) -> None:
        """Add a method, and the resources that its path needs."""
        parent: Any = {"Fn::GetAtt": ["Api", "RootResourceId"]}
        name = "Root"
        for part in path.strip("/").split("/"):
            if not part:
                continue
            name += "".join(filter(str.isalnum, part)) + str(part.count("+"))
            self.add(name, "Resource", {"ParentId": parent, "PathPart": part})
            parent = {"Ref": name}
        self.add(
            f"{name}{http_method}",
            "Method",
            {
                "ResourceId": parent,
                "HttpMethod": http_method,
                "AuthorizationType": "NONE",
                "Integration": integration,
                "MethodResponses": [{"StatusCode": "200"}],
                **properties,
            },
        )

    def authorizer(self, name: str = "Authorizer", **properties: Any) -> dict[str, Any]:
        """Add an authorizer; give the properties of a method that uses it."""
        self.add(
            name,
            "Authorizer",
            {"Name": name, "Type": "REQUEST", "AuthorizerUri": LAMBDA, **properties},
        )
        return {"AuthorizationType": "CUSTOM", "AuthorizerId": {"Ref": name}}

    def template(self) -> Template:
        """Return the template."""
        return Template({"Resources": self.resources}, "test", REGION)


@dataclass
class Answer:
    """What a sender gets."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Sender:
    """Sends requests to the gateway."""

    session: ClientSession
    url: str

    async def send(
        self,
        path: str,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
        method: str = "POST",
    ) -> Answer:
        """Send a request with these headers and no Content-Type of its own."""
        async with self.session.request(
            method,
            self.url + path,
            data=body,
            headers=headers,
            skip_auto_headers=["Content-Type", "User-Agent"],
        ) as response:
            return Answer(response.status, dict(response.headers), await response.read())


def run(
    api: ApiTemplate | Template,
    scenario: Callable[[Sender], Awaitable[T]],
    *,
    invoke: InvokeFunction | None = None,
    client: FakeKinesis | None = None,
) -> T:
    """Serve a template on a free port and run a scenario against it."""

    async def session() -> T:
        template = api if isinstance(api, Template) else api.template()
        gateway = Gateway(
            template,
            invoke=invoke or FakeFunction(),
            put_record=(client or FakeKinesis()).put_record,
        )
        runner = gateway.runner()
        await runner.setup()
        try:
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            host, port = runner.addresses[0][:2]
            async with ClientSession() as client_session:
                return await scenario(Sender(client_session, f"http://{host}:{port}"))
        finally:
            await runner.cleanup()

    return asyncio.run(session())


def send(
    api: ApiTemplate | Template,
    path: str = "/x",
    body: bytes = b"",
    headers: Mapping[str, str] | None = None,
    method: str = "POST",
    **options: Any,
) -> Answer:
    """Serve a template and send it one request."""
    return run(api, lambda sender: sender.send(path, body, headers, method), **options)
