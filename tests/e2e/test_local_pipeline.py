"""The synthesized stack on this machine: senders on one side, MozDef's queue on the other."""

from __future__ import annotations

import http.client
import json
import socket
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from loadtests.attack.pipeline import AttackedPipeline
from loadtests.attack.plan import ATTACKS, tell
from loadtests.attack.verdicts import carry_out
from loadtests.bench import console_pages
from loadtests.deploy_check.permissions import RecordedCalls, reviews, unexplained
from local import emulator
from local.accounts import counters
from local.assembly import find_template
from settings.source.loader import available_sources, load_source
from tests.e2e.conftest import Running, options_of
from tests.support.catalogue import ROUTED
from tests.support.command import run_here
from tests.support.mozdef import assert_contract
from tests.support.taken_out import not_missed
from tests.support.terminal import screen_of
from toolbox.sources.samples import authenticate, load_samples

if TYPE_CHECKING:
    from pathlib import Path

    from local.endpoints import Endpoints


def post(
    where: Endpoints, route: str, body: bytes, headers: dict[str, str], method: str = "POST"
) -> tuple[int, dict[str, Any]]:
    # http.client keeps the case of header names, as senders do.
    connection = http.client.HTTPConnection(where.api.removeprefix("http://"), timeout=600)
    try:
        connection.request(method, f"/{route}", body, headers)
        answer = connection.getresponse()
        content = answer.read()
    finally:
        connection.close()
    if method == "HEAD":
        assert not content
        return answer.status, {}
    assert (answer.headers["Content-Type"] or "").startswith("application/json"), content
    return answer.status, {} if method == "HEAD" else orjson.loads(content)


def command(*words: str, status: int = 0) -> str:
    done = run_here(*words)
    assert done.status == status, done.out + done.err
    return done.out + (done.err if status else "")


def totals(running: Running) -> Counter[str]:
    return sum(counters(running.state / "logs").values(), Counter())


def settled(running: Running) -> Counter[str]:
    running.settle()
    return totals(running)


def drain(where: Endpoints) -> list[dict[str, Any]]:
    sqs = emulator.client(
        "sqs",
        endpoint_url=where.aws_endpoint_url,
        region=where.region,
        credentials=where.credentials,
    )
    found = []
    for url in where.queues.values():
        while batch := sqs.receive_message(
            QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=0
        ).get("Messages"):
            found += [orjson.loads(message["Body"]) for message in batch]
            done = [
                {"Id": str(number), "ReceiptHandle": message["ReceiptHandle"]}
                for number, message in enumerate(batch)
            ]
            assert not sqs.delete_message_batch(QueueUrl=url, Entries=done).get("Failed")
    return found


def test_each_sample_of_each_source(running: Running, where: Endpoints) -> None:
    before = settled(running)
    drain(where)
    expected: Counter[str] = Counter()
    assert not {"onepassword", "okta-system-log"} & where.queues.keys()
    for name in ROUTED:
        source = load_source(available_sources()[name])
        (secret,) = (value.splitlines()[0] for value in where.parameters[name].values())
        for sample in load_samples(source):
            if sample.settings.sign == "previous":
                continue  # the runtime has no rotation under way
            request = sample.request((secret,), time.time())
            status, answer = post(where, name, request.body, request.headers, request.method)
            expect = sample.settings.expect
            label = f"{name}/{sample.name}: {answer}"
            if expect.outcome == "refused":
                assert status == expect.status, label
                assert answer["status"] == "error", label
                continue
            assert status == 200, label
            if expect.outcome == "answered":
                assert expect.answer.items() <= answer.items(), label
                continue
            assert answer["status"] == "accepted"
            assert answer["id"]
            expected["Received"] += expect.events
            if expect.reason:
                expected[f"rejected:{expect.reason}"] += expect.events
            expected[expect.outcome.title()] += expect.events
    counted = settled(running)
    assert counted - before == expected
    messages = drain(where)
    assert len(messages) == expected["Delivered"]
    for message in messages:
        assert_contract(message)


def generic_token(where: Endpoints) -> str:
    return where.parameters["generic"]["auth_token"].splitlines()[0]


#: Whose permissions the other end-to-end tests call for, each in its own file.
ELSEWHERE = {"ReconcilerRole", "ReplayWorkerRole"}


def test_each_permission_is_called_for_or_has_a_reason(running: Running) -> None:
    recorded = RecordedCalls.of(running.state)
    assert recorded
    holders = set(recorded.model.names.values()) - ELSEWHERE
    assert {"ArchiverRole", "FanOutRole", "FrontDoorPutRecordRole", "ReceiverRole"} <= holders
    (review,) = reviews([recorded])
    assert unexplained([review], holders) == []
    # The check itself: whichever permission is taken out, the calls of this run miss it.
    taken_out, faults = not_missed(review)
    assert faults == []
    assert taken_out > 100


@pytest.mark.parametrize(
    ("route", "headers", "status", "error"),
    [
        ("nosuch", {}, 404, "not_found"),
        ("", {}, 404, "not_found"),
        ("github/more", {}, 404, "not_found"),
        ("generic", {}, 401, "unauthorized"),
        ("generic", {"Authorization": "wrong"}, 403, "forbidden"),
        ("github", {"X-GitHub-Event": "push"}, 400, "bad_request"),
    ],
)
def test_what_a_sender_is_told(
    where: Endpoints, route: str, headers: dict[str, str], status: int, error: str
) -> None:
    headers = {"Content-Type": "application/json", **headers}
    answered, body = post(where, route, b"{}", headers)
    assert answered == status
    assert body["status"] == "error"
    assert body["error"]
    assert body["message"]


def test_a_relays_lower_case_costs_no_event(running: Running, where: Endpoints) -> None:
    """The gateway here compares the names of a validator's headers exactly, as AWS may."""
    before = settled(running)
    samples = load_samples(load_source(available_sources()["github"]))
    sample = next(each for each in samples if each.settings.expect.outcome == "delivered")
    (secret,) = (value.splitlines()[0] for value in where.parameters["github"].values())
    request = sample.request((secret,), time.time())
    lower = {name.lower(): value for name, value in request.headers.items()}
    lower["x-github-delivery"] = "lower-case"
    assert post(where, "github", request.body, lower)[0] == 200
    assert (settled(running) - before)["Delivered"] == 1
    drain(where)


def test_a_token_opens_no_other_route(where: Endpoints) -> None:
    headers = {"Content-Type": "application/json", "Authorization": generic_token(where)}
    assert post(where, "generic", b'{"a":"route"}', headers)[0] == 200
    assert post(where, "github", b"{}", headers)[0] == 400


def test_a_body_that_is_too_large_for_a_record(where: Endpoints) -> None:
    headers = {"Content-Type": "application/json", "Authorization": generic_token(where)}
    body = json.dumps({"x": "y" * 1_048_576}).encode()
    status, answer = post(where, "generic", body, headers)
    assert (status, answer["error"]) == (413, "too_large")


def test_an_event_larger_than_a_quarter_mebibyte_arrives(
    running: Running, where: Endpoints
) -> None:
    before = settled(running)
    headers = {"Content-Type": "application/json", "Authorization": generic_token(where)}
    body = json.dumps({"large": ["y" * 30_000] * 30}).encode()
    assert post(where, "generic", body, headers)[0] == 200
    counted = settled(running)
    assert counted["Delivered"] - before["Delivered"] == 1
    assert any(len(message["details"].get("large", "")) == 30 for message in drain(where))


def test_method_and_header_case(where: Endpoints) -> None:
    headers = {"content-type": "application/json", "authorization": generic_token(where)}
    assert post(where, "generic", b'{"case":1}', headers)[0] == 200
    assert post(where, "generic", b"{}", headers, method="PUT")[0] in {403, 404}


def test_send_and_tail(running: Running, where: Endpoints) -> None:
    drain(where)
    before = settled(running)
    state = ("--state", str(running.state))
    report = json.loads(
        command("send", "github", "--count", "40", "--duplicate-every", "8", *state, "--json")
    )
    assert report["sent"] == report["accepted"] == 40
    counted = settled(running) - before
    assert counted["Delivered"] == 35
    assert counted["Duplicate"] == 5
    lines = command("tail", "github", *state).rstrip("\n").split("\n")
    assert len(lines) == 35
    for line in lines:
        assert_contract(json.loads(line))
    assert command("tail", "github", *state).rstrip("\n").split("\n") == lines
    assert command("tail", "github", "--consume", "--count", "1", *state).rstrip("\n") == lines.pop(
        0
    )
    assert command("tail", "github", "--consume", *state).count("\n") == 34
    assert command("tail", "github", *state) == ""


def test_each_answered_request_can_be_explained(running: Running, where: Endpoints) -> None:
    state = ("--state", str(running.state), "--json")
    headers = {"content-type": "application/json", "authorization": generic_token(where)}
    good = post(where, "generic", b'{"explained":"heliotrope"}', headers)[1]["id"]
    bad = post(where, "generic", b'["no object"]', headers)[1]["id"]
    running.settle()
    (told,) = json.loads(command("explain", good, *state))["found"]
    assert (told["door"]["id"], told["door"]["source"]) == (good, "generic")
    (passage,) = told["passages"]
    (ending,) = passage["endings"]
    assert [one["settled"] for one in passage["tries"]] == [True]
    assert (ending["outcome"], ending["mozdef"]["rewritten_by"]) == ("delivered", "")
    assert ending["queued"].endswith("-generic, received 0 times")
    (line,) = (
        one for one in command("tail", "generic", *state[:2]).split("\n") if "heliotrope" in one
    )
    by_message = run_here("explain", "-", *state, stdin=line)
    assert json.loads(by_message.out)["found"][0]["door"]["id"] == good
    (told,) = json.loads(command("explain", bad, *state))["found"]
    (ending,) = told["passages"][0]["endings"]
    assert ending["reason"] == "schema_violation"
    assert (ending["schema"], ending["schema_place"]) == (
        "catalog/generic/schemas/default.json",
        "#/type",
    )
    shown = command("dead-letters", "show", ending["ticket"], *state[:2])
    assert ending["explanation"] in shown
    assert "looked" in command("explain", "nosuch", *state[:2], status=1)


def test_send_with_spoilt_signatures(running: Running) -> None:
    before = settled(running)
    state = ("--state", str(running.state))
    command("send", "github", "--count", "20", "--corrupt-every", "5", *state)
    counted = settled(running) - before
    assert counted["rejected:bad_signature"] == 4
    output = command("send", "generic", "--count", "4", "--corrupt-every", "2", *state)
    assert "403" in output


@pytest.mark.parametrize(
    ("words", "message", "status"),
    [
        (("send", "nosuch"), "no such source", 1),
        (("send", "github", "no-such-file.json"), "no such sample, type or file of github", 1),
        (("send", "github", "--state", "nowhere"), "run 'mozdef-ef local up --state now", 2),
        (("tail", "nosuch"), "no such source", 1),
    ],
)
def test_a_wrong_use_is_one_clear_line(
    running: Running, words: tuple[str, ...], message: str, status: int
) -> None:
    state = () if "--state" in words else ("--state", str(running.state))
    output = command(*words, *state, status=status)
    assert message in output
    assert "Traceback" not in output
    lines = [line for line in output.splitlines() if not line.startswith("settings: ")]
    assert len(lines) == 1


@pytest.mark.parametrize(
    ("words", "shows", "status"),
    [
        # What is at risk comes first, with what to do.
        (("status",), "dead-letters", 1),
        (("audit", "--from", "1h"), "rejected", 0),
        (("dead-letters", "list", "--groups"), "rejected", 0),
        (("dead-letters", "list", "--causes"), "cause", 0),
    ],
)
def test_a_screen_of_what_runs_fits(
    running: Running, words: tuple[str, ...], shows: str, status: int
) -> None:
    assert shows in screen_of(*words, "--state", str(running.state), status=status)


def test_a_port_in_use_is_one_clear_line(routed: Path, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = str(server.getsockname()[1])
        words = ("local", "up", "--port", port, "--state", str(tmp_path / "state"))
        output = command(*words, *options_of(routed), status=2)
    assert f"port {port}" in output
    assert "Traceback" not in output


def test_the_signature_covers_the_exact_bytes(running: Running, where: Endpoints) -> None:
    """White space, escapes and bytes that are no UTF-8 reach the processor as they were signed."""
    source = load_source(available_sources()["github"])
    secret = where.parameters["github"]["signing_secret"].splitlines()[0]
    before = settled(running)
    bodies = [b' {"a" :\t"\\u00e9\xc3\xa9" }\r\n', b'{"bad": "\xff\xfe"}', b"\x00\x01\x02", b"{}"]
    for number, body in enumerate(bodies):
        headers = {
            "Content-Type": "application/json; charset=utf-8",
            "X-GitHub-Event": "anything",
            "X-GitHub-Delivery": f"bytes-{time.time_ns()}-{number}",
            **authenticate(source, secret, body, now=time.time()),
        }
        assert post(where, "github", body, headers)[0] == 200
    counted = settled(running) - before
    assert counted["rejected:bad_signature"] == 0
    assert counted["Delivered"] == 2
    assert counted["rejected:invalid_json"] == 2


def test_each_attack_of_the_brief_form_is_held(
    running: Running, where: Endpoints, routed: Path, tmp_path: Path
) -> None:
    """The red team's list; `make attack` has the rest of it."""
    arena = AttackedPipeline(
        state=running.state,
        template=find_template(routed / "cdk.out", region=where.region).document,
        scratch=tmp_path,
        pids=running.descendants,
        wait=running.settle,
    )
    lines: list[str] = []
    brief = [attack for attack in ATTACKS if attack.brief]
    fallen = tell(carry_out(brief, arena), lambda text, _: lines.append(text))
    assert len(lines) == len(brief)
    assert not fallen, "\n".join(line for line in lines if line.startswith("NOT HELD"))


def test_the_benchmark_of_the_console_asks_for_each_page(running: Running) -> None:
    found = console_pages.measure(running.state, 1)
    assert found["pages_ms"].keys() == found["first_ms"].keys() == console_pages.PAGES.keys()
    assert all(ms > 0 for ms in found["pages_ms"].values())
    assert 20 < found["memory_mb"] < 1_000
