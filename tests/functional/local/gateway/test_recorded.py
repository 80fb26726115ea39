"""What AWS was recorded to do where a gateway on a laptop is easily more lenient.

Each case restates a fact of LocalStack's public snapshot tests, which were run against AWS; the
docstrings name the test. `docs/local.md` has a row for each.
"""

from __future__ import annotations

from typing import Any

import pytest

from local.gateway.app import Gateway
from local.template import TemplateError
from tests.functional.local.gateway.fakes import FakeFunction, FakeKinesis
from tests.functional.local.gateway.support import (
    LAMBDA,
    Answer,
    ApiTemplate,
    Sender,
    mock,
    run,
    send,
)

NOBODY = (
    "accessKey", "accountId", "caller", "cognitoAuthenticationProvider",
    "cognitoAuthenticationType", "cognitoIdentityId", "cognitoIdentityPoolId", "principalOrgId",
    "user", "userArn",
)  # fmt: skip


def proxy(*, binary: bool = False, path: str = "/x", **changes: Any) -> ApiTemplate:
    api = ApiTemplate(binary=binary, stage={"DeploymentId": {"Ref": "Deployed"}})
    api.add("Deployed", "Deployment", {})
    integration = {"Type": "AWS_PROXY", "IntegrationHttpMethod": "POST", "Uri": LAMBDA, **changes}
    api.method(path, "POST", integration)
    return api


def answered(payload: Any, headers: dict[str, str] | None = None, **options: Any) -> Answer:
    return send(proxy(**options), "/x", headers=headers, invoke=FakeFunction(payload))


def refusal(api: ApiTemplate) -> str:
    with pytest.raises(TemplateError) as raised:
        Gateway(api.template(), invoke=FakeFunction(), put_record=FakeKinesis().put_record)
    assert "\n" not in str(raised.value)
    return str(raised.value)


@pytest.mark.parametrize(
    "parameter",
    ["header.Content-Length", "header.Authorization", "header.TE", "header.A", "querystring.a"],
)
def test_a_proxy_with_mapped_parameters_is_refused_at_the_start(parameter: str) -> None:
    """500 for some headers, passed over for the others: test_apigateway_header_remapping_aws."""
    mapped = {f"integration.request.{parameter}": "method.request.header.B"}
    assert "Integration.RequestParameters" in refusal(proxy(RequestParameters=mapped))


@pytest.mark.parametrize("method", ["GET", "PUT", "ANY", None])
def test_a_function_is_called_by_post_alone(method: str | None) -> None:
    """500: test_lambda_aws_proxy_integration_non_post_method. None is refused by PutIntegration."""
    assert "Integration.IntegrationHttpMethod" in refusal(proxy(IntegrationHttpMethod=method))


@pytest.mark.parametrize("single", ["x-multi", "X-MULTI", "x-Multi"])
def test_a_name_in_both_maps_has_the_values_of_both(single: str) -> None:
    """test_aws_proxy_response_payload_format_validation: in any case, multi-value ones first."""
    payload = {"multiValueHeaders": {"x-Multi": ["a", "b"]}, "headers": {single: "c"}}

    async def lines(sender: Sender) -> list[tuple[str, str]]:
        async with sender.session.post(f"{sender.url}/x") as response:
            return [(n, v) for n, v in response.headers.items() if n.lower() == "x-multi"]

    found = run(proxy(), lines, invoke=FakeFunction(payload))
    assert found == [("x-Multi", "a"), ("x-Multi", "b"), ("x-Multi", "c")]


def test_base64_stays_text_without_binary_media_types() -> None:
    """test_aws_proxy_response_payload_format_validation, invoke-api-b64-encoded-true."""
    payload = {"body": "dGVzdC1kYXRh", "isBase64Encoded": True}
    assert answered(payload).body == b"dGVzdC1kYXRh"
    assert answered(payload, binary=True).body == b"test-data"


def test_what_is_no_base64_is_500_with_binary_media_types() -> None:
    """test_aws_proxy_binary_response, its last request."""
    payload = {"body": "no base64!", "isBase64Encoded": True}
    assert answered(payload).status == 200
    assert answered(payload, binary=True).status == 500


@pytest.mark.parametrize(
    ("sent", "path", "in_context"),
    [
        ("/a+b/", "/a+b/", "/dev/a+b/"),
        ("/a%2Bb", "/a%2Bb", "/dev/a%2Bb"),
        ("//a+b", "/a+b", "/dev//a+b"),
        ("/a+b?q=%2B", "/a+b", "/dev/a+b"),
    ],
)
def test_the_path_of_a_proxys_event_is_as_it_was_sent(
    sent: str, path: str, in_context: str
) -> None:
    """test_lambda_aws_proxy_integration: encoded characters and slashes stay."""
    function = FakeFunction({})
    send(proxy(path="/a+b"), sent, invoke=function)
    (event,) = function.events
    assert (event["path"], event["requestContext"]["path"]) == (path, in_context)
    assert event["resource"] == "/a+b"


def test_the_context_of_a_proxys_event_has_every_key() -> None:
    """test_lambda_aws_proxy_integration, invocation-payload-without-trailing-slash."""
    function = FakeFunction({})
    send(proxy(), "/x", headers={"User-Agent": "test"}, invoke=function)
    context = function.events[0]["requestContext"]
    assert context.pop("identity") == {
        **dict.fromkeys(NOBODY), "sourceIp": "127.0.0.1", "userAgent": "test"
    }  # fmt: skip
    assert set(context) == {
        "accountId", "apiId", "deploymentId", "domainName", "domainPrefix", "extendedRequestId",
        "httpMethod", "path", "protocol", "requestId", "requestTime", "requestTimeEpoch",
        "resourceId", "resourcePath", "stage",
    }  # fmt: skip
    assert None not in context.values()


def test_headers_of_a_proxys_event_are_spelled_as_sent_but_for_authorization() -> None:
    """test_lambda_aws_proxy_integration; those of the connection do not arrive."""
    function = FakeFunction({})
    sent = {"aUThorization": "t", "tEsT-HEADeR": "v"}
    send(proxy(), "/x", b"body", headers=sent, invoke=function)
    for name in ("headers", "multiValueHeaders"):
        found = set(function.events[0][name])
        assert {"Authorization", "tEsT-HEADeR", "Host"} <= found
        assert not {each.lower() for each in found} & {"connection", "content-length"}


@pytest.mark.parametrize(
    ("template", "words"),
    [
        ("$input.path('$.a')", "$input.path is not supported"),
        ('{"a":"$input.json(\'$.a\')"}', "$input.json is not supported"),
        ("$input.params('x')$util.parseJson('{}')", "$util.parseJson is not supported"),
        ('#set($a = "$util.escape($input.body)")$a', "$util.escape is not supported"),
        ("$input.body.a", "$input.body.a is not supported"),
        ("$context.identity.user", "$context.identity.user is not supported"),
        ("#set($context.responseOverride.header.A = 'b')", "$context.responseOverride.header.A"),
        ("#if($input.body.substring(1) == 'a')b#end", "substring() is not supported"),
        ("$nope", "nothing gives $nope a value"),
        ('#if($nope == "")a#end', "nothing gives $nope a value"),
        ("#set($nope.a = 1)", "nothing gives $nope a value"),
    ],
)
def test_what_the_engine_cannot_do_is_refused_at_the_start(template: str, words: str) -> None:
    """`$input.path` of a null prints nothing on AWS: test_input_path_template_formatting."""
    api = ApiTemplate()
    api.method("/x", "POST", mock(template))
    line = refusal(api)
    assert words in line
    assert "ResponseTemplates.application/json, line 1" in line


def test_a_null_prints_nothing_and_equals_null_and_the_empty_text() -> None:
    """test_input_path_template_formatting, of `$result` and `$result.nested`."""
    template = (
        '#set($result = $input.params().header.get("X-Missing"))'
        "[$result][$result.nested]"
        '#if($result == $null)null#end#if($result == "")empty#end#if($result != "")no#end'
    )
    api = ApiTemplate()
    api.method("/x", "POST", mock(template))
    assert send(api).body == b"[][]nullempty"


@pytest.mark.parametrize(
    ("template", "status"),
    [
        ("{statusCode: 200}", 200),
        ('{"a": {b: 1}, statusCode: "200"}', 200),
        ("statusCode: 200", 500),
        ('{"statusCode": 200, "a": "{b: 1}"}', 200),
    ],
)
def test_a_mocks_names_need_no_quotes(template: str, status: int) -> None:
    """test_integration_mock_with_path_param: `{statusCode: 200}` is taken."""
    api = ApiTemplate()
    api.method("/x", "POST", mock(request=template))
    assert send(api).status == status
