"""What forgeries that one address sends can do to the events of others.

The rules are taken from the synthesized template and evaluated as AWS WAF documents them: a
rate-based rule blocks an address while it sent more matching requests in the window than the limit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

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
            if rule and self._counts(rule.get("ScopeDownStatement"), path, size)
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


@pytest.fixture(scope="module")
def guard(synthesized: Callable[[Deployment], Synthesized]) -> Guard:
    sources = ("github", "stripe", "generic", "gitlab", "zoom")
    stack = synthesized(Deployment(stage="test", service="ingest", sources=sources))
    return Guard(stack.one("AWS::WAFv2::WebACL")[1])


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
