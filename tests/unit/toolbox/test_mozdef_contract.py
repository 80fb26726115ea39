"""MozDef's contract, over every sample of every source and over real GitHub payloads."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from pipeline.event.envelope import Envelope, encode_envelope
from settings.source.loader import available_sources
from settings.source.polling import FEED_HEADER
from tests.support.bench import NOW_MS, PREVIOUS, SECRET, generic, github, record, tally
from tests.support.catalogue import built_in, built_in_samples
from tests.support.mozdef import assert_contract

if TYPE_CHECKING:
    from settings.source.loader import LoadedSource
    from tests.support.bench import Bench
    from toolbox.sources.samples import LoadedSample


def signs_with_text(source: LoadedSource) -> bool:
    """Tell whether the bench can sign: in a header, with no hex, private key or address."""
    settings, hmac = source.settings, source.settings.hmac
    other = hmac is not None and (hmac.secret.encoding == "hex" or hmac.header is None)
    return settings.proof_of_body is None and not settings.pseudo_headers and not other


SAMPLES = [
    sample
    for name in sorted(available_sources())
    if signs_with_text(built_in(name))
    for sample in built_in_samples(name)
]
#: What MozDef's GitHub plugin has a mapping for (`mq/plugins/github_mapping.yml`).
KEPT = frozenset(
    {
        "create",
        "delete",
        "github_app_authorization",
        "installation",
        "member",
        "membership",
        "org_block",
        "organization",
        "public",
        "pull_request",
        "push",
        "release",
        "repository",
        "repository_import",
        "repository_vulnerability_alert",
        "security_advisory",
        "team",
        "team_add",
    }
)
EXAMPLES = Path("node_modules/@octokit/webhooks-examples/api.github.com/index.json")


def envelope_of(sample: LoadedSample) -> bytes:
    """What the front door would put on the stream for this sample."""
    request = sample.request((SECRET, PREVIOUS), NOW_MS / 1000)
    lower = {name.lower(): value for name, value in request.headers.items()}
    settings = sample.source.settings
    kept = {
        name.lower(): lower[name.lower()] for name in settings.headers.keep if name.lower() in lower
    }
    if settings.poll is not None:
        kept = {FEED_HEADER.lower(): sample.settings.headers[FEED_HEADER]}
    locator = settings.delivery_id
    key = lower.get(locator.header.lower(), "") if locator and locator.header else ""
    return encode_envelope(
        Envelope(
            f"request-{sample.name}",
            NOW_MS,
            sample.source.name,
            "192.0.2.1",
            request.body,
            key,
            kept,
        )
    )


@pytest.mark.parametrize(
    "sample",
    [s for s in SAMPLES if s.settings.expect.outcome not in {"refused", "answered"}],
    ids=lambda sample: f"{sample.source.name}-{sample.name}",
)
def test_each_sample_has_its_outcome_and_keeps_the_contract(
    bench: Bench, sample: LoadedSample
) -> None:
    expected = sample.settings.expect
    outcome = expected.reason or expected.outcome
    assert tally(bench.run(record(envelope_of(sample))).outcomes) == {str(outcome): expected.events}
    for message in bench.sqs.bodies():
        assert_contract(message)


def test_each_real_github_payload_is_delivered_but_for_pings(bench: Bench) -> None:
    events = orjson.loads(EXAMPLES.read_bytes())
    batch: list[dict[str, Any]] = []
    bodies = []
    for kind in events:
        for example in kind["examples"]:
            delivery = f"real-{len(batch)}"
            batch.append(record(github(example, event=kind["name"], delivery=delivery)))
            bodies.append((kind["name"], delivery, example))
    assert len(batch) == 329
    assert tally(bench.run(*batch).outcomes) == {"delivered": 325, "ignored": 4}
    sent = [one for one in bodies if one[0] != "ping"]
    for (name, delivery, example), message in zip(sent, bench.sqs.bodies(), strict=True):
        assert_contract(message)
        if name in KEPT:
            assert message["tags"][:2] == ["githubeventsqs", "github"]
            wanted = {"event": name, "request_id": delivery, "body": example}
            assert message["details"] == wanted
        else:
            assert "githubeventsqs" not in message["tags"]
            assert message["tags"][0] == "github"
            assert message["details"]["event"] == name
            assert message["details"]["request_id"] == delivery
            sender = json.loads(message["details"]["github"]["sender"])
            assert sender == example["sender"]


@pytest.mark.parametrize(
    "body",
    [
        {"anything": 1},
        {"payload": {"event": "x"}},
        {"timestamp": "yesterday", "tags": "not a list", "load": 1},
        {"details": "text"},
    ],
)
def test_the_generic_source_keeps_the_contract(bench: Bench, body: dict[str, Any]) -> None:
    bench.run(record(generic(body)))
    (message,) = bench.sqs.bodies()
    assert_contract(message)
    assert message["details"] == body
    assert message["hostname"] == "generic_host"
    assert message["category"] == message["processname"] == "generic"
    assert message["source"] == "api_aws_lambda"
    assert message["tags"] == ["generic"]


def test_one_message_holds_one_event(bench: Bench) -> None:
    bench.run(*(record(generic({"n": n})) for n in range(20)))
    texts = [text for queue in bench.sqs.messages.values() for text in queue]
    assert len(texts) == 20
    assert all(isinstance(json.loads(text), dict) for text in texts)
