"""Every metric of our own that an alarm or a dashboard names is written with these dimensions.

The pipeline runs, gets events of every outcome, and its logs are read. An alarm on a metric that
nobody writes is never on.
"""

from __future__ import annotations

import json
import signal
import subprocess
import time
from typing import TYPE_CHECKING, Any

import orjson

from local.accounts import metric_lines
from settings.source.loader import available_sources, load_source
from tests.e2e.conftest import COMMAND, HANGS, ROOT, Running
from tests.e2e.test_identity import send
from tests.e2e.test_local_pipeline import command, post
from tests.support.command import run_here
from tests.support.watched import Named, in_alarms, in_dashboards
from toolbox.sources.samples import load_samples

if TYPE_CHECKING:
    from pathlib import Path

    from local.endpoints import Endpoints

NAMESPACE = "MozDef-EF"
#: Written when AWS is out of reach only; test_watching.py of the infra tests has it and the feeds'.
NEEDS_A_FAULT = {"Unavailable"}


def written(running: Running) -> dict[tuple[str, frozenset[str]], list[dict[str, Any]]]:
    """The lines by the name and dimension names of each metric in them."""
    found: dict[tuple[str, frozenset[str]], list[dict[str, Any]]] = {}
    for log in sorted((running.state / "logs").glob("*.log")):
        for line in metric_lines(log):
            for block in line["_aws"]["CloudWatchMetrics"]:
                assert block["Namespace"] == NAMESPACE
                for names in block["Dimensions"]:
                    for metric in block["Metrics"]:
                        key = (metric["Name"], frozenset(names))
                        found.setdefault(key, []).append(line)
    return found


def send_samples(where: Endpoints) -> None:
    for source in sorted(where.queues):
        (secret,) = (value.splitlines()[0] for value in where.parameters[source].values())
        for sample in load_samples(load_source(available_sources()[source])):
            if sample.settings.sign == "previous":
                continue
            request = sample.request((secret,), time.time())
            post(where, source, request.body, request.headers, request.method)


def send_odd_ones(where: Endpoints) -> None:
    """Send an id with two bodies, a body with two ids, and a time that is none.

    Whichever of them comes first: the second body of the one id is no other's.
    """
    for delivery, body in (("d-1", b'{"n":1}'), ("d-1", b'{"n":2}'), ("d-2", b'{"n":1}')):
        send(where, "github", body, X_GitHub_Event="x", X_GitHub_Delivery=f"odd-{delivery}")
    document = next(
        orjson.loads(sample.body)
        for sample in load_samples(load_source(available_sources()["stripe"]))
        if sample.settings.expect.outcome == "delivered"
    )
    send(where, "stripe", orjson.dumps({**document, "id": "evt_odd", "created": 7}))


def test_each_metric_that_is_named_is_written(
    running: Running, where: Endpoints, routed: Path
) -> None:
    send_samples(where)
    words = ("github", "--count", "6", "--duplicate-every", "3", "--corrupt-every", "5")
    command("send", *words, "--state", str(running.state))
    send_odd_ones(where)
    running.settle()
    emitted = written(running)
    (template,) = (routed / "cdk.out").glob("*.template.json")
    document = json.loads(template.read_text())
    named = in_alarms(document) | in_dashboards(document)
    own = {each for each in named if each.namespace == NAMESPACE}
    own = {each for each in own if each.name not in NEEDS_A_FAULT}
    assert {each.name for each in own} == {
        "Accepted",
        "Batches",
        "BodyReused",
        "Delivered",
        "Denied",
        "DeniedByReason",
        "Duplicate",
        "Handshakes",
        "IdReused",
        "Ignored",
        "Received",
        "RecordsCompared",
        "Rejected",
        "RejectedByReason",
        "ShardsNotCompared",
        "TimeNotUnderstood",
        "UnmatchedRecords",
        "UnreadableLines",
        "UnsettledBatches",
    }
    # Each source has an alarm on counters of its own.
    assert {dict(each.values).get("source") for each in own} >= set(where.queues)
    for each in own:
        lines = emitted.get((each.name, each.dimensions), [])
        # Not each source gets each reason here; that it can is the words' own affair.
        only = {"stage"} if each.name == "RejectedByReason" else None
        assert any(fits(each, line, only) for line in lines), (each, lines[:1])


def fits(named: Named, line: dict[str, Any], only: set[str] | None = None) -> bool:
    return all(line[name] == value for name, value in named.values if only is None or name in only)


def test_status_of_the_running_pipeline(running: Running, where: Endpoints) -> None:
    send_samples(where)
    running.settle()
    done = run_here("status", "--state", running.state, "--json")
    found = json.loads(done.out)
    assert set(found["sources"]) >= set(where.queues)
    assert found["sources"]["github"]["received_per_minute"] > 0
    assert set(found["iterator_age_seconds"]) == {"fan-out", "archiver"}
    assert "MozDef-EF-ingest-e2e-github" in found["queues"]
    # Samples that are rejected make tickets, so something is at risk.
    assert found["tickets"]["waiting"] > 0
    assert found["at_risk"]
    assert done.status == 1, done.err


def test_watching_the_running_pipeline_until_ctrl_c(running: Running, where: Endpoints) -> None:
    assert where.queues
    words: list[str | Path] = [COMMAND, "status", "--state", str(running.state)]
    with subprocess.Popen(
        [*words, "--watch", "--json"], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as watching:
        assert watching.stdout is not None
        looks = [json.loads(watching.stdout.readline()) for _ in range(2)]
        watching.send_signal(signal.SIGINT)
        assert watching.wait(HANGS) == 0
    assert looks[0]["as_of"] < looks[1]["as_of"]
    plain = run_here("status", "--state", running.state)
    assert plain.status in {0, 1}, plain.err
    for heading in ("5 minutes", "stream:", "tickets"):
        assert heading in plain.out + plain.err
