"""What becomes of the samples of the sources that sign or carry a token, and need no receiver."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
import pytest

from pipeline.event.envelope import Envelope, encode_envelope
from pipeline.event.events import Event
from tests.support.bench import NOW_MS, PREVIOUS, SECRET, record, tally
from tests.support.catalogue import built_in, built_in_samples

if TYPE_CHECKING:
    from tests.support.bench import Bench
    from toolbox.sources.samples import LoadedSample

NAMES = ["bitbucket", "generic-hmac", "gitlab", "pagerduty", "standard-webhooks", "stripe"]
SAMPLES: dict[str, dict[str, LoadedSample]] = {
    name: {sample.name: sample for sample in built_in_samples(name)} for name in NAMES
}
ARRIVED = "2026-11-23T20:08:23.123+00:00"


def envelope(sample: LoadedSample, request: str = "", now_ms: int = NOW_MS) -> bytes:
    """What the front door puts on the stream for a sample."""
    sent = sample.request((SECRET, PREVIOUS), now_ms / 1000)
    lower = {name.lower(): value for name, value in sent.headers.items()}
    settings = sample.source.settings
    kept = {n.lower(): lower[n.lower()] for n in settings.headers.keep if n.lower() in lower}
    header = settings.delivery_id.header if settings.delivery_id else None
    key = lower.get(header.lower(), "") if header else ""
    name = sample.source.name
    identifier = request or f"request-{sample.name}"
    return encode_envelope(Envelope(identifier, now_ms, name, "192.0.2.1", sent.body, key, kept))


def message(bench: Bench, source: str, sample: str) -> dict[str, Any]:
    bench.run(record(envelope(SAMPLES[source][sample])))
    (only,) = bench.sqs.bodies()
    assert isinstance(only, dict)
    return only


@pytest.mark.parametrize(
    ("source", "sample", "severity", "timestamp", "summary"),
    [
        (
            "pagerduty",
            "incident-triggered",
            "ERROR",
            "2026-11-23T19:28:21.169+00:00",
            "PagerDuty incident.triggered: Disk of ledger-db-1 is full on Ledger API, urgency high",
        ),
        (
            "pagerduty",
            "incident-resolved-previous-secret",
            "NOTICE",
            "2026-11-23T19:28:21.169+00:00",
            "PagerDuty incident.resolved: Disk of ledger-db-1 is full on Ledger API, urgency low",
        ),
        (
            "pagerduty",
            "incident-annotated",
            "INFO",
            "2026-11-23T19:31:02.004+00:00",
            "PagerDuty incident.annotated: Disk of ledger-db-1 is full by Zoë Beispiel",
        ),
        (
            "pagerduty",
            "service-deleted",
            "WARNING",
            "2026-11-23T19:35:11.682+00:00",
            "PagerDuty service.deleted: Ledger API",
        ),
        (
            "gitlab",
            "push",
            "INFO",
            ARRIVED,
            "GitLab Push Hook: push in example/ledger on refs/heads/main, user alice-example",
        ),
        (
            "gitlab",
            "merge-request",
            "INFO",
            ARRIVED,
            (
                "GitLab Merge Request Hook: merge Pay twice at most in example/ledger, "
                "user alice-example"
            ),
        ),
        (
            "gitlab",
            "system-hook-failed-login",
            "WARNING",
            ARRIVED,
            "GitLab System Hook: user_failed_login, user bob-example",
        ),
        (
            "gitlab",
            "vulnerability",
            "WARNING",
            ARRIVED,
            "GitLab Vulnerability Hook: detected SQL injection in the search",
        ),
        (
            "stripe",
            "external-account-two-signatures",
            "WARNING",
            "2026-11-23T20:08:20.000+00:00",
            (
                "Stripe account.external_account.created: bank_account ba_1Example01 "
                "new on account acct_1Example01, livemode true"
            ),
        ),
        (
            "stripe",
            "thin-event",
            "INFO",
            "2026-11-23T19:28:20.000+00:00",
            (
                "Stripe v1.billing.meter.error_report_triggered: billing.meter "
                "mtr_test_1Example01, livemode true"
            ),
        ),
        (
            "standard-webhooks",
            "user-created",
            "INFO",
            "2026-11-23T19:28:20.344+00:00",
            (
                "standard-webhooks user.created: 1f81eb52-5198-4599-803e-771906343485 "
                "of alice@example.com"
            ),
        ),
        ("standard-webhooks", "own-body", "INFO", ARRIVED, "standard-webhooks opened"),
        (
            "bitbucket",
            "push",
            "INFO",
            ARRIVED,
            "Bitbucket repo:push in example/ledger by alice-example",
        ),
        (
            "bitbucket",
            "repository-updated",
            "CRITICAL",
            ARRIVED,
            "Bitbucket repo:updated in example/ledger by alice-example",
        ),
        (
            "generic-hmac",
            "typed-event",
            "INFO",
            ARRIVED,
            "generic-hmac backup.failed: Disk of ledger-db-1 is full on ledger-db-1.example.com",
        ),
    ],
)
def test_the_mozdef_event(
    bench: Bench, source: str, sample: str, severity: str, timestamp: str, summary: str
) -> None:
    event = message(bench, source, sample)
    assert event["summary"] == summary
    assert event["severity"] == severity
    assert event["timestamp"] == timestamp
    assert event["processname"] == source
    assert event["hostname"] == f"{source}_host"
    assert event["tags"] == [source]
    assert event["details"][source].keys() <= orjson.loads(SAMPLES[source][sample].body).keys()


@pytest.mark.parametrize("name", NAMES)
def test_a_later_try_is_a_duplicate_and_no_two_samples_are(bench: Bench, name: str) -> None:
    """A retry is another request, signed anew where the time is signed.

    What has no id is no duplicate three days later: its body's hash stands for it for hours, or
    not at all.
    """
    good = [s for s in SAMPLES[name].values() if s.settings.expect.outcome == "delivered"]
    assert len(good) >= 5
    first = tally(bench.run(*(record(envelope(sample)) for sample in good)).outcomes)
    assert first == {"delivered": len(good)}
    later = NOW_MS + 3 * 24 * 3_600_000 if name != "generic-hmac" else NOW_MS + 3_600_000
    bench.now = later / 1000
    again = [record(envelope(sample, f"again-{sample.name}", later)) for sample in good]
    outcomes = bench.run(*again).outcomes
    known = [one for one in outcomes if isinstance(one.event, Event) and one.event.delivery_id]
    assert tally(known) == {"duplicate": len(known)}
    assert len(known) >= len(good) - 1
    assert tally(outcomes).get("delivered", 0) == len(good) - len(known)


@pytest.mark.parametrize("name", NAMES)
def test_a_source_has_the_samples_that_show_its_scheme(name: str) -> None:
    samples = SAMPLES[name].values()
    authentication = built_in(name).settings.authentication
    signs = {sample.settings.sign for sample in samples}
    assert signs >= {"current", "previous", "wrong", "missing"}
    assert ("stale" in signs) == (getattr(authentication, "timestamp", None) is not None)
    assert ("several" in signs) == (getattr(authentication, "separator", None) is not None)
    reasons = {sample.settings.expect.reason for sample in samples}
    assert reasons >= {"invalid_json", "schema_violation"}
    assert any(not sample.body.isascii() for sample in samples)


@pytest.mark.parametrize("name", NAMES)
def test_no_schema_is_closed(name: str) -> None:
    """A field that came later is no fault, wherever it stands."""

    def closed(node: Any) -> bool:
        if isinstance(node, dict):
            return node.get("additionalProperties") is False or any(map(closed, node.values()))
        return isinstance(node, list) and any(map(closed, node))

    source = built_in(name)
    assert source.default_schema is not None
    assert not any(map(closed, [*source.schemas.values(), source.default_schema]))


def test_pagerdutys_test_event_can_be_asked_for(bench: Bench) -> None:
    outcomes = bench.run(record(envelope(SAMPLES["pagerduty"]["ping"]))).outcomes
    assert tally(outcomes) == {"ignored": 1}
    assert bench.sqs.bodies() == []


def test_gitlabs_token_is_in_no_envelope() -> None:
    for sample in SAMPLES["gitlab"].values():
        data = envelope(sample)
        assert SECRET.encode() not in data
        assert b"x-gitlab-token" not in data.lower()
