"""Every policy of a stack in which everything is on: no right is wider than AWS makes it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tests.infra.policies import ROLE, WITHOUT_RESOURCE, statements, written

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.infra.conftest import Synthesized

POLICY_KEYS = {
    "PolicyDocument",
    "AssumeRolePolicyDocument",
    "KeyPolicy",
    "ResourcePolicy",
    "Policy",
}
MANAGED = {
    "AmazonAPIGatewayPushToCloudWatchLogs": "API Gateway takes one role for an account's logs; "
    "this is the policy that its guide names.",
}
WITH_ASTERISK = {
    "/*": "Objects of this bucket, most of one prefix: their names are made at run time.",
    ":*": "Executions of one state machine, streams of one log group: AWS makes their ids.",
}


def policies(node: Any, path: str = "") -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Return where each policy is, the key that holds it, and the policy."""
    match node:
        case dict():
            for key, value in node.items():
                if key in POLICY_KEYS and isinstance(value, dict) and "Statement" in value:
                    yield path, key, value
                else:
                    yield from policies(value, f"{path}/{key}")
        case list():
            for number, value in enumerate(node):
                yield from policies(value, f"{path}/{number}")


def allowed(stack: Synthesized) -> list[tuple[str, str, dict[str, Any]]]:
    return [
        (path, key, statement)
        for path, key, policy in policies(stack.document["Resources"])
        for statement in statements(policy)
        if statement["Effect"] == "Allow"
    ]


def test_every_policy_is_looked_at(everything: Synthesized) -> None:
    found = len(list(policies(everything.document["Resources"])))
    assert json.dumps(everything.document).count('"Statement": [') == found
    assert found > 40


def test_no_action_is_a_pattern_but_for_the_owner_of_a_key(everything: Synthesized) -> None:
    owners = 0
    for path, key, statement in allowed(everything):
        assert "NotAction" not in statement, path
        assert "NotResource" not in statement, path
        patterns = [action for action in statement["Action"] if "*" in action]
        if key == "KeyPolicy" and patterns == ["kms:*"]:
            # AWS KMS Developer Guide, default key policy: without it nobody could mend the policy.
            (account,) = statement["Principal"].values()
            assert written(account).endswith(":iam::<AWS::AccountId>:root")
            owners += 1
            continue
        assert not patterns, f"{path}: {patterns}"
    assert owners == len(everything.all("AWS::KMS::Key"))


def test_a_resource_is_everything_only_where_aws_has_none_narrower(everything: Synthesized) -> None:
    for path, key, statement in allowed(everything):
        if key == "KeyPolicy":
            continue  # in a key's policy `*` is that key
        for resource in map(written, statement["Resource"]):
            if resource == "*":
                assert set(statement["Action"]) <= WITHOUT_RESOURCE, path
            elif "*" in resource:
                assert any(resource.endswith(end) for end in WITH_ASTERISK), f"{path}: {resource}"
                assert resource.count("*") == 1, f"{path}: {resource}"


def test_each_role_is_taken_on_by_one_service(everything: Synthesized) -> None:
    trusted = {}
    for name, role in everything.all(ROLE).items():
        (statement,) = role["AssumeRolePolicyDocument"]["Statement"]
        assert statement["Action"] == "sts:AssumeRole"
        assert set(statement["Principal"]) == {"Service"}, name
        trusted[name] = statement["Principal"]["Service"]
    assert set(trusted.values()) == {
        "apigateway.amazonaws.com",
        "lambda.amazonaws.com",
        "states.amazonaws.com",
    }
    functions = everything.all("AWS::Lambda::Function")
    of_functions = [function["Role"]["Fn::GetAtt"][0] for function in functions.values()]
    assert len(set(of_functions)) == len(functions), "a role of its own for each function"
    assert {name for name, service in trusted.items() if service.startswith("lambda")} == set(
        of_functions
    )


def test_managed_policies_are_those_with_a_reason(everything: Synthesized) -> None:
    used = [
        written(arn).rpartition("/")[2]
        for role in everything.all(ROLE).values()
        for arn in role.get("ManagedPolicyArns", [])
    ]
    assert set(used) == set(MANAGED)


def test_a_service_may_call_for_this_account_alone(everything: Synthesized) -> None:
    """A service acts for whoever asks it, unless the policy says for whom (confused deputy)."""
    seen = 0
    for path, key, statement in allowed(everything):
        principal = statement.get("Principal")
        if key == "AssumeRolePolicyDocument" or principal is None:
            continue
        assert principal not in ("*", {"AWS": "*"}) or statement.get("Condition"), path
        if isinstance(principal, dict) and "Service" in principal:
            condition = json.dumps(statement.get("Condition", {}))
            assert any(
                name in condition
                for name in ("aws:SourceAccount", "aws:SourceArn", "kms:EncryptionContext")
            ), f"{path}: {statement}"
            seen += 1
    assert seen >= 3


def test_each_permission_on_a_function_names_who_calls(everything: Synthesized) -> None:
    permissions = everything.all("AWS::Lambda::Permission")
    assert permissions
    callers = set()
    for name, permission in permissions.items():
        assert permission["Action"] == "lambda:InvokeFunction", name
        callers.add(permission["Principal"])
        source = permission["SourceArn"]
        if permission["Principal"] == "events.amazonaws.com":
            if "Fn::GetAtt" in source:
                assert source["Fn::GetAtt"][0] in everything.all("AWS::Events::Rule"), name
            else:  # one for many rules; test_poller.py says which
                assert written(source).endswith("-poll-*"), name
            continue
        assert written(source).startswith("arn:<AWS::Partition>:execute-api:"), name
        api, _, path = written(source).rpartition(":")[2].partition("/")
        assert api in {f"<{one}>" for one in everything.all("AWS::ApiGateway::RestApi")}, name
        assert path.startswith("authorizers/") or path == "*/*/*", f"{name}: {path}"
    assert callers == {"apigateway.amazonaws.com", "events.amazonaws.com"}


def test_concurrency_is_reserved_at_the_door(everything: Synthesized) -> None:
    reserved = {
        name: function.get("ReservedConcurrentExecutions")
        for name, function in everything.all("AWS::Lambda::Function").items()
    }
    given = {value for value in reserved.values() if value}
    assert given == {50, 200}
    assert [value for name, value in reserved.items() if "Authorizer" in name] == [50]
    assert [value for name, value in reserved.items() if "Receiver" in name] == [200]
