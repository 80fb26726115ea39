"""What other tools read: the endpoints, and the part of the template that the emulator creates."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from local import endpoints
from local.credentials import RunCredentials
from local.dataplane import data_plane
from local.endpoints import Endpoints, NotRunningError
from local.state import StateDirectory
from local.template import Template, TemplateError
from tests.support.no_access import forbid

if TYPE_CHECKING:
    from pathlib import Path

WHERE = Endpoints(
    api="http://127.0.0.1:1",
    aws_endpoint_url="http://127.0.0.1:2",
    region="us-west-2",
    stream="stream",
    queues={"github": "http://127.0.0.1:2/000000000000/github"},
    dead_letter_queue="http://127.0.0.1:2/000000000000/dead",
    archive_bucket="bucket",
    dedupe_table="table",
    parameters={"github": {"signing_secret": "s"}},
    credentials=RunCredentials("LOCALID", "a secret"),
)


def test_the_file_has_the_documented_keys(tmp_path: Path) -> None:
    WHERE.write(tmp_path)

    document = json.loads((tmp_path / "endpoints.json").read_text())

    assert list(document) == [
        "api",
        "aws_endpoint_url",
        "region",
        "stream",
        "queues",
        "dead_letter_queue",
        "archive_bucket",
        "dedupe_table",
        "parameters",
        "credentials",
        "parameter_names",
    ]
    assert document["credentials"] == {"access_key_id": "LOCALID", "secret_access_key": "a secret"}
    with StateDirectory(tmp_path):
        assert endpoints.read(tmp_path) == endpoints.read(tmp_path / "endpoints.json") == WHERE


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "not there, so nothing runs"),
        ("{", "broken"),
        ("[]", "broken"),
        ("{}", "broken"),
        (WHERE.to_json(), "left over, nothing runs any more"),
    ],
)
def test_without_a_running_pipeline_it_says_so(
    tmp_path: Path, text: str | None, message: str
) -> None:
    with StateDirectory(tmp_path):
        pass
    if text is not None:
        (tmp_path / "endpoints.json").write_text(text)

    with pytest.raises(NotRunningError, match=message):
        endpoints.read(tmp_path)


def test_that_of_another_user_is_not_called_broken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = WHERE.write(tmp_path)
    forbid(monkeypatch, file)
    with pytest.raises(NotRunningError) as caught:
        endpoints.read(tmp_path)
    assert str(caught.value).startswith(f"{file}: cannot be read: Permission denied")


def _data_plane(resources: dict[str, Any]) -> dict[str, Any]:
    template = Template({"Resources": resources}, "Stack", "us-west-2")
    found: dict[str, Any] = data_plane(template)["Resources"]
    return found


@pytest.mark.parametrize("section", ["Conditions", "Mappings", "Transform"])
def test_what_no_deployed_template_has_is_refused(section: str) -> None:
    with pytest.raises(TemplateError, match=f"Stack: {section} are not supported locally"):
        Template({"Resources": {}, section: {}}, "Stack", "us-west-2")


def test_references_among_the_kept_stay_and_the_others_are_resolved() -> None:
    found = _data_plane(
        {
            "Key": {"Type": "AWS::KMS::Key"},
            "Queue": {"Type": "AWS::SQS::Queue"},
            "Parameter": {
                "Type": "AWS::SSM::Parameter",
                "DependsOn": "Key",
                "Properties": {
                    "Name": {"Fn::Sub": "/${AWS::StackName}/${Queue.QueueName}"},
                    "Description": {"Fn::Sub": "${Key}"},
                    "Value": {"Fn::GetAtt": ["Key", "Arn"]},
                    "Tags": [{"Fn::GetAtt": ["Queue", "Arn"]}, {"Ref": "AWS::Region"}],
                },
            },
        }
    )

    assert "Key" not in found
    assert found["Queue"]["Properties"] == {"MaximumMessageSize": 1_048_576}
    assert "DependsOn" not in found["Parameter"]
    assert found["Parameter"]["Properties"] == {
        "Name": {"Fn::Sub": "/${AWS::StackName}/${Queue.QueueName}"},
        "Description": "Key",
        "Value": "arn:aws:kms:us-west-2:000000000000:key/Key",
        "Tags": [{"Fn::GetAtt": ["Queue", "Arn"]}, {"Ref": "AWS::Region"}],
    }
