"""What forgeries can do to the events of others: those of one address, and those of many.

The rules are taken from the synthesized template and evaluated as AWS WAF documents them: a
rate-based rule blocks an address, or a value of a header, while more matching requests came in the
window than the limit. Partition keys are those that the template makes, and shards take them by
their MD5, as Kinesis does.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from dataclasses import dataclass
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from local.gateway.variables import InputObject, UtilObject
from local.template import Template
from local.vtl import VtlTemplate
from pipeline.aws.limits import PARTITION_KEY_CHARACTERS
from settings.deployment import Deployment

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.infra.conftest import Synthesized

KIB, MIB = 1_024, 1_024 * 1_024
SHARD_BYTES = MIB
"""Amazon Kinesis Data Streams quotas: what a shard takes in a second."""

SEEN_BYTES = 64 * KIB
"""AWS WAF Developer Guide, body inspection: the most that it sees of a body at API Gateway."""

SIZES = (200, 1 * KIB, 8 * KIB, 8 * KIB + 1, 16 * KIB, 64 * KIB, 64 * KIB + 1, 500_000, MIB)


@dataclass
class Guard:
    """The rate-based rules of a web ACL."""

    acl: dict[str, Any]

    def limits(self, path: str, size: int) -> list[tuple[int, int]]:
        """Return limit and window in seconds of each rule that counts such a request."""
        rules = [rule["Statement"].get("RateBasedStatement") for rule in self.acl["Rules"]]
        return [
            (rule["Limit"], rule.get("EvaluationWindowSec", 300))
            for rule in rules
            if rule
            and rule["AggregateKeyType"] == "IP"
            and self._counts(rule.get("ScopeDownStatement"), path, size)
        ]

    def lets_through(self, path: str, size: int, rate: float) -> bool:
        """Tell whether an address that sends so many requests in a second is let through."""
        return all(rate * window <= limit for limit, window in self.limits(path, size))

    def most(self, path: str, size: int) -> float:
        """Return the requests of a second that an address may send."""
        return min(limit / window for limit, window in self.limits(path, size))

    def _counts(self, statement: dict[str, Any] | None, path: str, size: int) -> bool:
        match statement:
            case None:
                return True
            case {"AndStatement": {"Statements": parts}}:
                assert len(parts) >= 2
                return all(self._counts(part, path, size) for part in parts)
            case {"NotStatement": {"Statement": part}}:
                return not self._counts(part, path, size)
            case {"ByteMatchStatement": wanted}:
                assert wanted["PositionalConstraint"] == "ENDS_WITH"
                assert wanted["FieldToMatch"] == {"UriPath": {}}
                return path.endswith(wanted["SearchString"])
            case {"SizeConstraintStatement": wanted}:
                assert wanted["ComparisonOperator"] == "GT"
                assert wanted["FieldToMatch"] == {"Body": {"OversizeHandling": "MATCH"}}
                seen = self.acl["AssociationConfig"]["RequestBody"]["API_GATEWAY"]
                assert seen == {"DefaultSizeInspectionLimit": "KB_64"}
                return size > SEEN_BYTES or size > int(wanted["Size"])
        raise AssertionError(statement)

    def most_of_an_id(self, header: str) -> float:
        """Return the requests of a second that may come with one value of a header."""
        rules = [rule["Statement"].get("RateBasedStatement", {}) for rule in self.acl["Rules"]]
        as_it_is = [{"Priority": 0, "Type": "NONE"}]
        wanted = [{"Header": {"Name": header.lower(), "TextTransformations": as_it_is}}]
        (rule,) = (rule for rule in rules if rule.get("CustomKeys") == wanted)
        assert rule["AggregateKeyType"] == "CUSTOM_KEYS"
        assert "ScopeDownStatement" not in rule
        return float(rule["Limit"] / rule["EvaluationWindowSec"])

    def refuses(self, headers: list[tuple[str, str]]) -> bool:
        """Tell whether headers are refused for what they are."""
        (rule,) = (rule for rule in self.acl["Rules"] if rule["Name"] == "odd-delivery-ids")
        assert rule["Action"] == {"Block": {}}
        return any(
            self._matches(one["RegexMatchStatement"], headers)
            for one in rule["Statement"]["OrStatement"]["Statements"]
        )

    @staticmethod
    def _matches(statement: dict[str, Any], headers: list[tuple[str, str]]) -> bool:
        match statement["FieldToMatch"]:
            case {"HeaderOrder": {"OversizeHandling": "MATCH"}}:
                texts = [":".join(name for name, _ in headers)]
            case {"SingleHeader": {"Name": wanted}}:
                texts = [value for name, value in headers if name.lower() == wanted]
            case other:
                raise AssertionError(other)
        (transformation,) = statement["TextTransformations"]
        if transformation["Type"] == "LOWERCASE":
            texts = [text.lower() for text in texts]
        return any(re.search(statement["RegexString"], text) for text in texts)


#: Without them nothing is put on the stream.
REQUIRED = ("X-GitHub-Event", "X-Hub-Signature-256", "X-Gitlab-Event")


@dataclass
class Door:
    """A deployed route's template, of a stack with this id."""

    document: dict[str, Any]
    stack: str

    def shard(self, source: str, header: str, delivery_id: str, shards: int) -> int:
        """Return the number of the shard that a request goes to."""
        digest = hashlib.md5(self.partition_key(source, header, delivery_id).encode()).digest()
        return int.from_bytes(digest) * shards >> 128

    def partition_key(self, source: str, header: str, delivery_id: str) -> str:
        headers = dict.fromkeys(REQUIRED, "sent") | {header: delivery_id}
        exchange = SimpleNamespace(query={}, headers=headers)
        context = {
            "extendedRequestId": "JKJaXmPLvHcESHA=",
            "requestTimeEpoch": 1_795_464_503_123,
            "identity": {"sourceIp": "192.0.2.1"},
        }
        variables = {
            "input": InputObject(cast("Any", exchange), "e30="),
            "util": UtilObject(),
            "context": context,
        }
        text = VtlTemplate(self._template(source), "test").render(variables)
        return str(json.loads(text)["PartitionKey"])

    def _template(self, source: str) -> str:
        template = Template(self.document, self.stack, "us-west-2")
        methods = [
            each["Properties"]["Integration"]
            for each in self.document["Resources"].values()
            if each["Type"] == "AWS::ApiGateway::Method"
        ]
        found = [
            str(template.resolve(each["RequestTemplates"]["application/json"]))
            for each in methods
            if "PutRecord" in json.dumps(each.get("Uri"))
        ]
        (one,) = (text for text in found if f"&source={source}&" in text)
        # CloudFormation makes up the last part of a stack's id.
        return one.replace('"local-$', f'"{self.stack}-$')


@pytest.fixture(scope="module")
def stack(synthesized: Callable[[Deployment], Synthesized]) -> Synthesized:
    sources = ("github", "stripe", "generic", "gitlab", "zoom")
    return synthesized(Deployment(stage="test", service="ingest", sources=sources))


@pytest.fixture(scope="module")
def guard(stack: Synthesized) -> Guard:
    return Guard(stack.one("AWS::WAFv2::WebACL")[1])


@pytest.fixture
def door(stack: Synthesized) -> Door:
    return Door(stack.document, "7a3e1c58-0f2b-4d7e-9c41-5be0a6f4d2c9")


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("megabytes", [1, 2])
def test_forgeries_of_a_megabyte_a_second_are_blocked_whatever_their_size(
    guard: Guard, size: int, megabytes: int
) -> None:
    rate = megabytes * 1_000_000 / size
    assert not guard.lets_through("/test/github", size, rate)
    assert not guard.lets_through("/stripe", size, rate)


def test_what_one_address_may_send_leaves_more_than_a_third_of_its_shard(guard: Guard) -> None:
    """The worst that stays below every limit at once: the largest bodies that each lets through."""
    small, medium, large = (guard.most("/github", size) for size in (8 * KIB, 64 * KIB, MIB))
    assert (small, medium, large) == (20, 3, 0.2)
    # The larger ones count among the smaller ones' limits, too, so this is more than can be sent.
    most = small * 8 * KIB + medium * 64 * KIB + large * MIB
    assert most == pytest.approx(0.544 * MIB, rel=0.01)
    assert most < SHARD_BYTES * 2 / 3


@pytest.mark.parametrize(
    "path", ["/test/githu%62", "/test/github/", "//github", "/test/generic/../github", "/github;a"]
)
def test_no_other_spelling_of_the_path_gets_around_it(guard: Guard, path: str) -> None:
    assert not guard.lets_through(path, KIB, 2_000)


@pytest.mark.parametrize("source", ["generic", "gitlab", "zoom"])
def test_what_is_verified_before_the_stream_is_not_bound_by_size(guard: Guard, source: str) -> None:
    assert guard.lets_through(f"/test/{source}", MIB, 300)
    assert guard.lets_through(f"/{source}", MIB, 300)


def test_a_source_that_takes_some_networks_alone_is_not_bound_by_size(
    synthesized: Callable[[Deployment], Synthesized], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("near")
    (folder / "near").mkdir()
    (folder / "near" / "source.yaml").write_text(
        "version: 1\ntitle: One network\nallowed_networks: [192.0.2.0/24]\n"
        'authentication: {type: hmac, header: X-Signature, signed: "{body}"}\n'
        "headers: {keep: [X-Signature]}\n"
    )
    near: dict[str, Any] = {"stage": "test", "service": "a", "source_directory": folder}
    alone = synthesized(Deployment(sources=("near",), **near))
    assert not alone.all("AWS::WAFv2::WebACL")
    beside = synthesized(Deployment(sources=("near", "github"), **near))
    guard = Guard(beside.one("AWS::WAFv2::WebACL")[1])
    assert guard.lets_through("/test/near", MIB, 300)
    assert not guard.lets_through("/test/github", MIB, 2)


ID = "X-GitHub-Delivery"


def test_one_delivery_id_is_bound_from_however_many_addresses(guard: Guard) -> None:
    most = guard.most_of_an_id(ID)
    assert most * 60 == 10
    assert most * MIB < SHARD_BYTES / 5  # with the largest bodies that there are


@pytest.mark.parametrize(
    "headers",
    [
        [(ID, "a"), ("x-github-delivery", "b")],
        [("Host", "x"), (ID, "a"), ("Accept", "*/*"), (ID, "b")],
        [(ID, "a\xe9")],
        [(ID, "a\x01")],
    ],
)
def test_an_id_that_can_be_read_in_two_ways_is_refused(
    guard: Guard, headers: list[tuple[str, str]]
) -> None:
    assert guard.refuses(headers)


@pytest.mark.parametrize(
    "headers",
    [
        [("Host", "x"), (ID, "72d3162e-cc78-11e3-81ab-4c9367dc0958"), ("X-GitHub-Event", "push")],
        [("X-GitHub-Delivery-Attempt", "a"), (ID, "b"), ("Not-X-GitHub-Delivery", "c")],
        [("Host", "x")],
    ],
)
def test_what_senders_send_is_not_refused_for_its_headers(
    guard: Guard, headers: list[tuple[str, str]]
) -> None:
    assert not guard.refuses(headers)


def test_nobody_can_choose_ids_that_share_a_shard(door: Door) -> None:
    """Two megabytes a second of forgeries whose ids a stranger chose by Kinesis's own rule."""
    shards, wanted = 4, 1
    digests = ((f"id-{n}", hashlib.md5(f"id-{n}".encode()).digest()) for n in range(2_000))
    chosen = [one for one, digest in digests if int.from_bytes(digest) * shards >> 128 == wanted]
    assert len(chosen) > 400
    load = Counter(door.shard("github", ID, one, shards) for one in chosen)
    assert set(load) == set(range(shards))
    busiest = max(load.values()) / len(chosen) * 2_000_000
    assert busiest < SHARD_BYTES * 0.6
    # The same ids at another stack, where no id of it is known either.
    other = Door(door.document, "00f9a1de-2222-4333-8444-955555555555")
    assert [other.shard("github", ID, one, shards) for one in chosen[:50]] != [
        door.shard("github", ID, one, shards) for one in chosen[:50]
    ]


def test_copies_of_a_delivery_have_one_key_of_which_a_stranger_knows_a_part(door: Door) -> None:
    key = door.partition_key("github", ID, "72d3162e-cc78")
    assert key == door.partition_key("github", ID.lower(), "72d3162e-cc78")
    assert key == f"{door.stack}-72d3162e-cc78"
    assert key != door.partition_key("gitlab", "Idempotency-Key", "72d3162e-cc79")


@pytest.mark.parametrize(("length", "fits"), [(219, True), (220, False), (256, False)])
def test_a_key_with_its_prefix_is_one_that_kinesis_takes(
    door: Door, length: int, fits: bool
) -> None:
    key = door.partition_key("github", ID, "x" * length)
    assert len(key) <= PARTITION_KEY_CHARACTERS
    assert (key != "JKJaXmPLvHcESHA=") is fits


def test_no_header_chooses_a_shard_that_no_rule_has_room_to_bind(
    synthesized: Callable[[Deployment], Synthesized], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """AWS WAF quotas: ten rate-based rules in a web ACL."""
    folder = tmp_path_factory.mktemp("many")
    names = [f"many{number}" for number in range(8)]
    for name in names:
        (folder / name).mkdir()
        (folder / name / "source.yaml").write_text(
            "version: 1\ntitle: One of many\n"
            'authentication: {type: hmac, header: X-Signature, signed: "{body}"}\n'
            f"headers: {{keep: [X-Signature, X-{name}-Id]}}\ndelivery_id: {{header: X-{name}-Id}}\n"
        )
    stack = synthesized(
        Deployment(stage="test", service="a", source_directory=folder, sources=tuple(names))
    )
    (_, acl) = stack.one("AWS::WAFv2::WebACL")
    assert sum("RateBasedStatement" in rule["Statement"] for rule in acl["Rules"]) == 10
    door = Door(stack.document, "7a3e1c58-0f2b-4d7e-9c41-5be0a6f4d2c9")
    keys = [door.partition_key(name, f"X-{name}-Id", "id") for name in names]
    assert keys == [f"{door.stack}-id"] * 6 + ["JKJaXmPLvHcESHA="] * 2
    for name in names[:6]:
        assert Guard(acl).most_of_an_id(f"X-{name}-Id") * 60 == 10
