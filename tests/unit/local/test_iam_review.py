"""How a refusal reads, on the wire and in a report; what nobody calls for; what is written down."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import botocore.session
import pytest
from botocore.parsers import create_parser

from loadtests.deploy_check import permissions
from loadtests.deploy_check.permissions import never_called, rows, unexplained
from local.iam import simulator
from local.iam.calls import CallLog, IamCall, read_calls
from local.iam.gate import answer
from local.iam.model import IamModel
from local.iam.review import Review, explanation, review_all
from local.iam.simulator import IamVerdict, Judge, SimulatorError
from local.iam.wire import WireRequest
from local.template import Template

if TYPE_CHECKING:
    from pathlib import Path

ROLE = "arn:aws:iam::000000000000:role/Worker"
STREAM = "arn:aws:kinesis:us-west-2:000000000000:stream/Stream"
KEY = "arn:aws:kms:us-west-2:000000000000:key/Key"


def model(*statements: dict[str, Any]) -> IamModel:
    taken = {"Effect": "Allow", "Principal": {"Service": "x"}, "Action": "sts:AssumeRole"}
    root = {"AWS": "arn:aws:iam::000000000000:root"}
    own = {"Effect": "Allow", "Principal": root, "Action": "kms:*", "Resource": "*"}
    role = {
        "AssumeRolePolicyDocument": {"Statement": taken},
        "Policies": [{"PolicyDocument": {"Statement": [*statements]}}],
    }
    encryption = {"EncryptionType": "KMS", "KeyId": {"Ref": "Key"}}
    resources = {
        "Worker": {"Type": "AWS::IAM::Role", "Properties": role},
        "Key": {"Type": "AWS::KMS::Key", "Properties": {"KeyPolicy": {"Statement": [own]}}},
        "Stream": {
            "Type": "AWS::Kinesis::Stream",
            "Properties": {"StreamEncryption": encryption},
        },
    }
    return IamModel.of(Template({"Resources": resources}, "stack", "us-west-2"))


def allow(action: Any, resource: Any, **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


def parsed(service: str, name: str, status: int, headers: dict[str, str], body: bytes) -> Any:
    description = botocore.session.Session().get_service_model(service)
    parser = create_parser(description.metadata["protocol"])
    given = {"status_code": status, "headers": headers, "body": body}
    shape: Any = description.operation_model(name).output_shape
    return parser.parse(given, shape)["Error"]


@pytest.mark.parametrize(
    ("service", "name", "status", "code"),
    [
        ("kinesis", "PutRecord", 400, "KMSAccessDeniedException"),
        ("sqs", "SendMessage", 400, "KMS.AccessDeniedException"),
        ("dynamodb", "GetItem", 400, "AccessDeniedException"),
        ("ssm", "GetParameter", 400, "AccessDeniedException"),
        ("s3", "PutObject", 403, "AccessDenied"),
    ],
)
def test_a_key_that_may_not_be_used_is_told_as_the_service_tells_it(
    service: str, name: str, status: int, code: str
) -> None:
    verdict = IamVerdict(IamCall.make(ROLE, "kms:Decrypt", KEY), allowed=False)
    headers = {} if service == "s3" else {"x-amz-target": f"X.{name}"}
    told = answer(model(), verdict, WireRequest(service, "POST", "/", "", headers, b""))
    error = parsed(service, name, told.status, told.headers, told.body)
    assert (told.status, error["Code"]) == (status, code)
    assert "is not authorized to perform: kms:Decrypt on resource: " + KEY in error["Message"]


def test_a_query_is_answered_in_xml() -> None:
    verdict = IamVerdict(IamCall.make(ROLE, "sns:Publish", "arn:aws:sns:a:b:<c>"), allowed=False)
    told = answer(model(), verdict, WireRequest("sns", "POST", "/", "", {}, b"Action=Publish"))
    error = parsed("sns", "Publish", told.status, told.headers, told.body)
    assert (told.status, error["Code"]) == (403, "AccessDenied")
    assert "arn:aws:sns:a:b:<c>" in error["Message"]


def test_a_call_asks_for_the_key_and_is_denied_with_what_is_missing() -> None:
    own = model(allow("kinesis:PutRecord", STREAM))
    calls = own.with_keys([IamCall.make(ROLE, "kinesis:PutRecord", STREAM)])
    (review,) = review_all([(own, calls)])
    (line,) = review.denied()
    assert line == (
        f"Worker may not kms:GenerateDataKey on {KEY} (for kinesis:PutRecord): no statement allows "
        "it; missing in the policy of Key, or those of Worker: "
        + json.dumps(
            {
                "Effect": "Allow",
                "Principal": {"AWS": ROLE},
                "Action": "kms:GenerateDataKey",
                "Resource": KEY,
            }
        )
    )
    # The root's statement leaves it to the role's own policies, under whatever condition they have.
    context = {"kms:EncryptionContext:aws:kinesis:arn": STREAM}
    for value, denied in ((STREAM, 0), (f"{STREAM}x", 1)):
        condition = {"StringEquals": {next(iter(context)): value}}
        more = allow("kms:GenerateDataKey", KEY, Condition=condition)
        own = model(allow("kinesis:PutRecord", STREAM), more)
        calls = own.with_keys([IamCall.make(ROLE, "kinesis:PutRecord", STREAM)])
        (review,) = review_all([(own, calls)])
        assert len(review.denied()) == denied


def test_an_explicit_refusal_names_the_statement() -> None:
    own = model(
        allow("kinesis:*", "*"), {"Effect": "Deny", "Action": "kinesis:PutRecord", "Resource": "*"}
    )
    (review,) = review_all([(own, [IamCall.make(ROLE, "kinesis:PutRecord", STREAM)])])
    (line,) = review.denied()
    assert line.endswith("refused by Worker: Deny kinesis:PutRecord on *")


def test_what_iam_does_not_know_is_never_allowed() -> None:
    own = model(allow("*", "*"))
    calls = [
        IamCall.make(ROLE, "kinesis:Nonsense", STREAM),
        IamCall.make(ROLE, "kinesis:GetRecords", ""),
        IamCall.make(ROLE, "kinesis:GetRecords", "*"),
    ]
    (review,) = review_all([(own, calls)])
    assert [line.partition(": ")[2][:17] for line in review.denied()] == ["cannot be judged:"] * 3


def judged(*used: int) -> Review:
    own = model(allow(["kinesis:PutRecord", "kinesis:GetRecords"], STREAM))
    call = IamCall.make(ROLE, "kinesis:PutRecord", STREAM)
    return Review(own, (IamVerdict(call, allowed=True, allow=used),))


def test_a_permission_without_a_call_needs_a_reason_and_a_reason_a_permission(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    reasons = {("Key", "kms:[*]", "*"): "the owner", ("Worker", "sts:*", "*"): "taken by nobody"}
    monkeypatch.setattr(permissions, "REASONS", reasons)
    (line,) = unexplained([judged(0)])
    assert line.startswith("Worker: kinesis:GetRecords on Stream is allowed, and no run calls for")
    assert unexplained([judged(0)], {"Key"}) == []
    # What one of the runs calls for is called for.
    assert unexplained([judged(0), judged(1)]) == []
    monkeypatch.setitem(reasons, ("Worker", "kinesis:GetRecords", "Stream"), "later")
    assert unexplained([judged(0)]) == []
    (line,) = unexplained([judged(0, 1)])
    assert line.startswith("REASONS: Worker, kinesis:GetRecords, Stream: stale")
    found = [review for review in (judged(0),) if never_called([review])]
    cells = {row.cells[0]: row.cells[1:] for row in rows(found)}
    assert cells["Worker"][:3] == (1, 1, 0)
    assert "kinesis:GetRecords (later)" in str(cells["Worker"][3])


def test_each_call_is_written_once_and_read_as_it_was(tmp_path: Path) -> None:
    file = tmp_path / "calls.jsonl"
    calls = [
        IamCall.make(ROLE, "s3:ListBucket", "arn:aws:s3:::b", {"s3:prefix": "ü/"}, "why"),
        IamCall.make(ROLE, "s3:GetObject", "arn:aws:s3:::b/k"),
    ]
    log = CallLog(file)
    log.add(calls)
    log.add(calls)
    CallLog(file).add(calls[:1])  # as a runtime does that goes on
    assert read_calls(file) == calls
    assert read_calls(tmp_path / "none") == []


def test_a_role_with_a_policy_of_aws_s_own_is_said_to_be_unread() -> None:
    own = replace(model(), unread={ROLE: ["arn:aws:iam::aws:policy/X"]})
    verdict = IamVerdict(IamCall.make(ROLE, "kinesis:PutRecord", STREAM), allowed=False)
    assert "arn:aws:iam::aws:policy/X is not read here" in explanation(own, verdict)


def test_without_the_simulator_one_line_says_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(simulator, "PACKAGE", "@nobody/none")
    with pytest.raises(SimulatorError) as caught:
        review_all([(model(), [])])
    (line,) = caught.value.lines
    assert "not installed; run 'make setup'" in line


def test_what_one_call_decided_is_not_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    own, asked = model(allow("kinesis:PutRecord", STREAM)), []
    question = simulator._question

    def count(of: IamModel, call: IamCall) -> str:
        asked.append(call)
        return question(of, call)

    monkeypatch.setattr(simulator, "_question", count)
    put, get = (
        IamCall.make(ROLE, f"kinesis:{name}", STREAM) for name in ("PutRecord", "GetRecords")
    )

    async def ask() -> list[bool]:
        judge = Judge(own)
        return [(await judge.verdict(call)).allowed for call in (put, get, put, get)]

    assert asyncio.run(ask()) == [True, False, True, False]
    assert asked == [put, get]


def test_a_later_review_asks_what_no_earlier_one_has(monkeypatch: pytest.MonkeyPatch) -> None:
    own, other = model(allow("kinesis:PutRecord", STREAM)), model()
    put, get = (
        IamCall.make(ROLE, f"kinesis:{name}", STREAM) for name in ("PutRecord", "GetRecords")
    )
    monkeypatch.setattr(simulator, "_DECIDED", {})
    first = simulator.decide([(own, [put]), (other, [put])])
    assert [verdict.allowed for (verdict,) in first] == [True, False], "each by its own policies"
    answers, asked = simulator._answers, list[str]()

    def count(program: list[str], pairs: list[tuple[str, str]]) -> list[str]:
        asked.extend(json.loads(question)["action"] for _, question in pairs)
        return answers(program, pairs)

    monkeypatch.setattr(simulator, "_answers", count)
    again = simulator.decide([(other, [put, get]), (own, [put, get, put])])
    assert [[one.allowed for one in found] for found in again] == [
        [False, False],
        [True, False, True],
    ]
    assert asked == ["kinesis:GetRecords"] * 2, "of each model"
