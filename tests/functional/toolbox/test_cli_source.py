"""`mozdef-ef source`: new, check, list, show and try, as a shell sees them."""

from __future__ import annotations

import json
import re
import shlex
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from settings.source.loader import available_sources, load_source
from tests.support.catalogue import ROUTED
from tests.support.command import Done, run_here
from tests.support.terminal import fits
from toolbox.sources.rehearsal import Rehearsal, compiled, make_secret
from toolbox.terminal.output import console, errors
from toolbox.traffic.requests import make_requests

if TYPE_CHECKING:
    from collections.abc import Callable

EVENTS = [
    {
        "id": f"evt_{n}",
        "type": "check.down",
        "at": 1_795_464_503 + n,
        "message": "down",
        "check": {"id": 41},
    }
    for n in range(2)
]
PUSH = Path("catalog/github/samples/push.json").absolute()
HEADERS = ("--header", "X-GitHub-Event: push", "--header", "X-GitHub-Delivery: d-1")


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Done]:
    monkeypatch.chdir(tmp_path)
    for number, event in enumerate(EVENTS):
        (tmp_path / f"e{number}.json").write_text(json.dumps(event))
    return run_here


def new(run: Callable[..., Done], *more: str) -> Done:
    return run("source", "new", "watch", "--sample", "e0.json", "--sample", "e1.json", *more)


def test_from_samples_to_a_checked_source(run: Callable[..., Done]) -> None:
    done = new(run, "--authentication", "hmac", "--auth-header", "X-Sig", "--title", "Watch")
    assert done.status == 0, done.err
    for said in ("type, such as check.down", "id, such as evt_0", "at, such as 1795464503"):
        assert said in done.out
    assert "mozdef-ef source check watch" in done.out
    assert Path("config/sources/watch/source.yaml").is_file()

    done = run("source", "check", "watch")
    assert done.status == 0
    assert "4 samples, all fit" in done.err
    assert "watch, authentication: unverified: nothing but our own signature" in done.out
    assert run("source", "check", "watch", "--strict").status == 1
    assert re.search(
        r"^  watch\* +direct +hmac +unverified", run("source", "list").out, re.MULTILINE
    )
    assert "none of the samples" in run("source", "show", "watch").out
    done = new(run)
    assert done.status == 2
    assert "is there already" in done.err


def test_one_sample_proves_no_delivery_id(run: Callable[..., Done]) -> None:
    Path("one.json").write_text(json.dumps({"type": "user.created", "data": {"id": "user_1"}}))
    words = ("source", "new", "users", "--sample", "one.json")
    done = run(*words)
    assert done.status == 0, done.err
    assert "none proven" in done.out
    assert "two samples about one thing" in " ".join(done.out.split())
    document = json.loads(run(*words, "--json", "--directory", "mine").out)
    assert (document["delivery_id"], document["unproven_delivery_id"]) == (None, "data.id")


def test_what_to_type_next_finds_a_source_elsewhere(run: Callable[..., Done]) -> None:
    steps = re.findall(
        r"^  mozdef-ef (source .*)", new(run, "--directory", "my own").out, re.MULTILINE
    )
    assert len(steps) == 2
    assert [run(*shlex.split(step)).status for step in steps] == [0, 0]


@pytest.mark.parametrize(("like", "has_secret"), [("aws-sns", False), ("discord", True)])
def test_a_secret_is_only_named_next_where_there_is_one(
    run: Callable[..., Done], like: str, has_secret: bool
) -> None:
    assert ("secret rotate watch" in new(run, "--like", like).out) == has_secret


def test_new_for_programs(run: Callable[..., Done]) -> None:
    document = json.loads(new(run, "--json", "--directory", "mine").out)
    assert document["folder"] == "mine/watch"
    assert document["event_type"] == "type"
    assert document["mismatches"] == 0
    assert "source.yaml" in document["files"]
    assert json.loads(run("source", "check", "watch", "--sources", "mine", "--json").out) == {
        "samples": 4,
        "mismatches": 0,
        "results": [
            {
                "source": "watch",
                "sample": sample,
                "fits": True,
                "expected": outcome,
                "actual": outcome,
                "faults": [],
                "explanation": explanation,
                "diff": "",
            }
            for sample, outcome, explanation in (
                ("broken-json", "invalid_json",
                 "unexpected end of data: line 1 column 11 (char 10)"),
                ("e0", "delivered", ""),
                ("e1", "delivered", ""),
                ("wrong-secret", "refused 403",
                 "The token in authorization is wrong."),
            )
        ],
    }  # fmt: skip


def test_a_sample_that_does_not_fit(run: Callable[..., Done]) -> None:
    new(run)
    assert run("source", "check", "watch", "--update").status == 0
    settings = Path("config/sources/watch/source.yaml")
    settings.write_text(settings.read_text().replace("severity: INFO", "severity: ALERT"))
    done = run("source", "check")
    assert done.status == 1
    assert "2 do not fit" in done.err
    # They come before those that fit, which are only counted where they are many.
    assert done.out.splitlines()[1].startswith("watch\te0\tdelivered\tdelivered\tthe MozDef event")
    assert "\nothers: delivered " in done.out
    assert '+  "severity": "ALERT"' in done.out
    body = Path("config/sources/watch/samples/e0.json")
    body.write_text('{"id":"[/red]\\u001b[2J"')
    done = run("source", "check", "watch")
    assert done.status == 1
    assert "expected delivered, is invalid_json" in done.out
    assert "\x1b" not in done.out


def test_check_takes_names_that_there_are(run: Callable[..., Done]) -> None:
    done = run("source", "check", "none")
    assert done.status == 1
    assert "none: no such source; did you mean notion?" in done.err
    assert run("source", "check", "--sources", "nowhere").status == 2


def test_list(run: Callable[..., Done]) -> None:
    new(run)
    done = run("source", "list")
    assert done.status == 0
    assert "…" not in done.out  # nobody's terminal cuts it
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(console, "_force_terminal", True)
        patch.setattr(console, "_width", 60)
        fits(run("source", "list").out, 60)
    assert "\nother\n" in done.out
    assert re.search(r"^  watch\* +direct +token +unsigned +watch$", done.out, re.MULTILINE)
    assert "* private" in done.out
    listed = {one["name"]: one for one in json.loads(run("source", "list", "--json").out)}
    assert set(listed) == {*available_sources(), "watch"}
    assert listed["watch"]["from"] == "private"
    assert listed["github"] | {"samples": 0, "folder": "", "kind": ""} == {
        "name": "github",
        "kind": "",
        "title": "GitHub webhooks",
        "ingest": "direct",
        "authentication": "hmac",
        "verification": "verified",
        "samples": 0,
        "from": "catalogue",
        "folder": "",
    }


@pytest.mark.parametrize("name", [*ROUTED, "aws-sns", "discord", "okta-ssf", "onepassword"])
def test_show(run: Callable[..., Done], name: str) -> None:
    done = run("source", "show", name)
    assert done.status == 0, done.err
    settings = load_source(available_sources()[name]).settings
    parameter = f"/<project>/{name}/dev/{settings.parameter} (SSM SecureString)"
    assert (parameter in done.out) == bool(settings.parameter)
    assert ("POST /" in done.out) == (settings.ingest != "poll")
    document = json.loads(run("source", "show", name, "--json").out)
    assert document["title"] == settings.title


def test_show_says_what_is_a_copy_and_what_only_looks_like_one(run: Callable[..., Done]) -> None:
    github = json.loads(run("source", "show", "github", "--json").out)["remembered"]
    assert "a known id with another body: deliver" in github
    assert "a known body under another id: deliver" in github
    gitlab = json.loads(run("source", "show", "gitlab", "--json").out)["remembered"]
    assert gitlab[-1] == "where an event has no id, its body's hash: not at all, copies stay"
    duo = json.loads(run("source", "show", "duo-admin", "--json").out)["delivery_id"]
    assert duo[:2] == ["path timestamp", "path txid, where present"]


def test_show_names_the_parameter_of_the_stage(run: Callable[..., Done]) -> None:
    Path("config").mkdir()
    Path("config/prod.yaml").write_text("service: ingest\nproject: P\nsources: [github]\n")
    done = run("source", "show", "github", "--stage", "prod")
    assert "/P/github/prod/signing_secret" in done.out


def test_try_a_payload_that_is_delivered(run: Callable[..., Done]) -> None:
    done = run("source", "try", "github", PUSH, *HEADERS)
    assert done.status == 0, done.err
    for said in (
        "no signature was given: the body alone is judged",
        "signature          not checked",
        "deduplication key  github#d-1",
        "schemas/push.json, which it satisfies",
        '"githubeventsqs"',
        "queue              github",
        "outcome            delivered",
    ):
        assert said in done.out


def test_try_one_that_breaks_its_schema(run: Callable[..., Done]) -> None:
    Path("bad.json").write_text('{"ref": 7}')
    done = run("source", "try", "github", "bad.json", *HEADERS)
    assert done.status == 1
    assert "schema_violation" in done.out
    assert "(rule 'required')" in done.out
    document = json.loads(run("source", "try", "github", "bad.json", *HEADERS, "--json").out)
    assert document["outcome"] == "schema_violation"
    assert document["events"][0]["mozdef"] is None


def test_try_one_that_the_door_refuses(run: Callable[..., Done]) -> None:
    done = run("source", "try", "github", PUSH)
    assert done.status == 1
    assert (
        "refused 400: Required headers are missing: X-GitHub-Delivery, X-GitHub-Event" in done.out
    )
    done = run("source", "try", "github", "none.json")
    assert done.status == 2
    assert "none.json: there is no such file" in done.err


def test_try_a_request_with_many_events(run: Callable[..., Done]) -> None:
    events = [{"uuid": f"u{n}", "eventType": "x"} for n in range(2)]
    body = {"eventId": "e", "data": {"events": events}}
    Path("many.json").write_text(json.dumps(body))
    done = run("source", "try", "okta", "many.json", "--json")
    document = json.loads(done.out)
    keys = [event["deduplication_key"] for event in document["events"]]
    assert keys == ["okta#u0", "okta#u1"]
    assert document["outcome"] == "schema_violation x2"


def test_try_a_payload_with_a_huge_number(run: Callable[..., Done]) -> None:
    """The pipeline hands a number of any length on as it is; most JSON tools cannot."""
    Path("huge.json").write_text(json.dumps({"big": 2**80}))
    assert str(2**80) in run("source", "try", "generic", "huge.json").out
    document = json.loads(run("source", "try", "generic", "huge.json", "--json").out)
    assert document["events"][0]["mozdef"]["details"] == {"big": float(2**80)}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("source", "list"), "reading the sources"),
        (("source", "check", "generic"), "checking the samples"),
    ],
)
def test_who_waits_is_told_for_what(
    run: Callable[..., Done], monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], said: str
) -> None:
    told: list[str] = []

    def status(text: str) -> Any:
        told.append(text)
        return nullcontext()

    monkeypatch.setattr(errors, "status", status)
    assert run(*words).status == 0
    assert told == [said]


@pytest.mark.parametrize(("typed", "status", "said"), [
    ("the-real-secret", 0, "signature          fits"),
    ("another-secret!", 1, "bad_signature"),
])  # fmt: skip
def test_try_a_request_that_was_caught(
    run: Callable[..., Done],
    monkeypatch: pytest.MonkeyPatch,
    typed: str,
    status: int,
    said: str,
) -> None:
    """With a secret the signature among the headers is checked, and nothing is echoed."""
    import hmac

    asked: list[dict[str, Any]] = []

    def prompt(_: str, **options: Any) -> str:
        asked.append(options)
        return typed

    monkeypatch.setattr("typer.prompt", prompt)
    digest = hmac.digest(b"the-real-secret", PUSH.read_bytes(), "sha256").hex()
    # In lower case, as a relay writes it: a required header counts in any.
    signature = ("--header", f"x-hub-signature-256: sha256={digest}")
    done = run("source", "try", "github", PUSH, *HEADERS, *signature, "--ask-secret")
    assert done.status == status
    assert said in done.out
    assert typed not in done.out + done.err
    assert asked[-1]["hide_input"]
    Path("secret").write_text(typed)
    again = run("source", "try", "github", PUSH, *HEADERS, *signature, "--secret-file", "secret")
    assert (again.status, "signature          fits" in again.out) == (status, status == 0)


def test_try_never_signs_of_itself(run: Callable[..., Done]) -> None:
    wrong = ("--header", "X-Hub-Signature-256: sha256=" + 64 * "0")
    done = run("source", "try", "github", PUSH, *HEADERS, *wrong)
    assert done.status == 0
    assert "a signature was given, and no secret to check it with" in done.out
    assert "signature          not checked" in done.out
    Path("secret").write_text("s")
    with_secret = ("source", "try", "github", PUSH, *HEADERS, "--secret-file", "secret")
    done = run(*with_secret)
    assert done.status == 1
    assert "400: Required headers are missing: X-Hub-Signature-256" in done.out
    done = run(*with_secret, "--sign")
    assert done.status == 0
    assert "signed here with the secret that was given, which shows nothing" in done.out
    done = run("source", "try", "github", PUSH, *HEADERS, "--sign")
    assert "signed here with a throw-away secret, which shows nothing" in done.out
    assert "signature          fits" in done.out
    assert "token was given: the body" in run("source", "try", "generic", PUSH).out


def test_try_what_no_secret_of_ours_could_sign(run: Callable[..., Done]) -> None:
    folder = Path("config/sources/keyed")
    folder.mkdir(parents=True)
    proof = {"type": "public_key", "algorithm": "ed25519", "header": "X-Sig"}
    settings = {"version": 1, "title": "Keyed", "authentication": proof}
    settings["headers"] = {"keep": ["X-Sig"], "require": ["X-Sig"]}
    (folder / "source.yaml").write_text(json.dumps(settings))
    done = run("source", "try", "keyed", PUSH)
    assert done.status == 0, done.out + done.err
    assert "no signature was given: the body alone is judged" in done.out


def test_try_with_a_token_handshake_or_fetched_event(run: Callable[..., Done]) -> None:
    assert run("source", "try", "generic", PUSH).status == 0
    Path("challenge.json").write_text(
        '{"event": "endpoint.url_validation", "event_ts": 1, "payload": {"plainToken": "abc"}}'
    )
    done = run("source", "try", "zoom", "challenge.json")
    assert done.status == 0
    assert "a handshake, answered with" in done.out
    assert '"plainToken": "abc"' in done.out
    sample = next(available_sources()["okta-system-log"].glob("samples/*.json"), PUSH)
    assert "fetched, not signed" in run("source", "try", "okta-system-log", sample).out


@pytest.mark.parametrize("name", ROUTED)
def test_what_send_makes_is_delivered(name: str) -> None:
    """`send` plays a sender: its requests are signed whatever a scheme signs, each an event."""
    source = load_source(available_sources()[name])
    settings = source.settings
    if settings.ingest == "poll" or settings.proof_of_body is not None or settings.pseudo_headers:
        return  # fetched, or proved with another's key or for an address
    secrets = (make_secret(),)
    with compiled({name: source}) as catalog:
        rehearsal = Rehearsal({name: source}, catalog, secrets)
        for outgoing in make_requests(source, [], secret=secrets[0]):
            ending = rehearsal.take(name, outgoing.request, "r")
            assert ending.accepted, outgoing.label
            assert ending.delivered


def test_send_makes_each_event_of_a_split_request_new() -> None:
    source = load_source(available_sources()["okta"])
    with compiled({"okta": source}) as catalog:
        rehearsal = Rehearsal({"okta": source}, catalog, ("s",))
        keys = [
            event.deduplication_key
            for outgoing in make_requests(source, [], secret="s", count=30)
            for event in rehearsal.take("okta", outgoing.request, "r").delivered
        ]
    assert len(keys) >= 30
    assert len(set(keys)) == len(keys)


def test_help_teaches(run: Callable[..., Done]) -> None:
    for command in ("new", "check", "list", "show", "try"):
        done = run("source", command, "--help")
        assert done.status == 0
        assert len(done.out.splitlines()) > 8


def test_handshakes_are_told_with_their_proof(run: Callable[..., Done]) -> None:
    shown = {name: run("source", "show", name, "--json") for name in ("okta", "zoom")}
    told = {name: json.loads(done.out)["handshakes"] for name, done in shown.items()}
    assert told == {
        "okta": ["GET: answered for anyone"],
        "zoom": [
            (
                "POST with body event is endpoint.url_validation: "
                "answered once it is proved as an event is"
            )
        ],
    }


def test_a_source_in_old_words_is_told_and_upgraded(
    run: Callable[..., Done], tmp_path: Path
) -> None:
    folder = tmp_path / "own" / "asks"
    (folder / "samples").mkdir(parents=True)
    (folder / "source.yaml").write_text(
        "version: 1\ntitle: t\nauthentication: {type: none}\n"
        "handshake: {get: {header: X-Ask, field: f}}\n"
    )
    where = ("--sources", str(tmp_path / "own"))
    warned = run("source", "check", "asks", *where).out
    assert "asks, handshake: is in the words of version 1" in warned
    assert "asks, authentication.type: NOBODY IS ASKED WHO THEY ARE" in warned
    printed = run("source", "upgrade", "asks", *where)
    assert "version: 2" in printed.out
    assert "version: 1" in (folder / "source.yaml").read_text()
    assert run("source", "upgrade", "asks", "--write", *where).status == 0
    assert (folder / "source.yaml").read_text() == printed.out
    assert "version 1" not in run("source", "check", "asks", *where).out


@pytest.mark.parametrize(
    "text",
    [
        "{version: 1, title: t, authentication: {type: none}}\n",
        '"version": 1\ntitle: t\nauthentication: {type: none}\n',
    ],
)
def test_what_cannot_be_upgraded_is_not_said_to_be(
    run: Callable[..., Done], tmp_path: Path, text: str
) -> None:
    (tmp_path / "own" / "asks").mkdir(parents=True)
    file = tmp_path / "own" / "asks" / "source.yaml"
    file.write_text(text)
    for more in ((), ("--write",)):
        done = run("source", "upgrade", "asks", *more, "--sources", str(tmp_path / "own"))
        assert done.status == 2
        assert "write version 2 by hand" in done.err
    assert file.read_text() == text
