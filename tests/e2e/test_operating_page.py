"""docs/operating.md mends what it names: each mess is made, and the page's own commands end it.

The pipeline is one that `local up` synthesized, with settings that are mended while it runs.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import shlex
import shutil
import signal
import sys
import threading
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil  # type: ignore[import-untyped]
import pytest

from local import endpoints
from tests.e2e.conftest import HANGS, ROOT, Running, alive
from tests.e2e.test_local_pipeline import generic_token, post
from tests.support.command import Done, completions, given, run_here
from toolbox.cli.main import COMMANDS
from toolbox.deployments import local_clients

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from local.endpoints import Endpoints

PAGE = (ROOT / "docs" / "operating.md").read_text()
_BLOCK = re.compile(r"^```\w*\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_STACK = "MozDef-EF-ingest-prod"
#: What no laptop has; each of them is read as the command line reads it.
NEEDS_AWS = {
    f"status --stack {_STACK}": "CloudWatch's alarms and numbers",
    f"explain ID --stack {_STACK} --from 3d --source github": "the fan-out's log in CloudWatch",
    f"audit --stack {_STACK} --from 2026-11-23T20:00Z --to 2026-11-23T21:00Z "
    "--missing-to missing.jsonl": "what a stack lost; the same of this machine is below",
    f"replay --stack {_STACK} --missing missing.jsonl": "the same",
    "audit --stack … --from 2026-11-23 --to 2026-11-24 --distributed": "Athena",
    "cdk deploy --revert-drift": "CloudFormation; `local up` makes the queue anew below",
}
STAGE = """\
service: ingest
sources: [alertmanager, generic, generic-hmac, github]
stream: {mode: provisioned, shards: 1}
# What fails once is given up.
fan_out: {retry_attempts: 0}
archiver: {batching_window_seconds: 1}
"""


#: GitHub's, once somebody has changed it there.
NEW = "0123456789abcdef0123456789abcdef01234567"


def shown(page: str) -> set[str]:
    """The commands of a page's blocks, without the program's name and comments."""
    lines = (line for block in _BLOCK.findall(page) for line in block.splitlines())
    return {
        re.sub(r"\s+# .*", "", line).replace("mozdef-ef ", "")
        for line in lines
        if line.startswith("mozdef-ef ")
    }


def named(page: str) -> set[str]:
    """The commands that its sentences name, often without what is typed after them."""
    spans = re.findall(r"`([^`\n]+)`", _BLOCK.sub("", page))
    return set(filter(_is_command, (span.removeprefix("mozdef-ef ") for span in spans)))


def _is_command(span: str) -> bool:
    first, *rest = span.split()
    found = COMMANDS.get(first)
    return bool(rest) and rest[0] in found if isinstance(found, dict) else found is not None


def nobody_runs(page: str, ran: set[str]) -> set[str]:
    """What of a page is neither run nor listed as AWS's."""
    known = ran | NEEDS_AWS.keys()
    begins = {
        one: re.compile(re.sub("…", ".*", re.sub(r"<\w+>|[A-Z]{2,}", r"\\S+", one)) + r"(?: |$)")
        for one in named(page)
    }
    unnamed = {one for one, begin in begins.items() if not any(map(begin.match, known))}
    return (shown(page) - known) | unnamed


@dataclass
class Walk:
    """A pipeline, and the commands of the page that were run on it, from the project's folder."""

    running: Running
    where: Endpoints
    folder: Path
    ran: set[str] = field(default_factory=set)

    def __call__(
        self,
        command: str,
        status: int = 0,
        *further: str,
        stdin: str = "",
        instead: Mapping[str, str] | None = None,
    ) -> str:
        """Run a command as the page has it.

        Parameters
        ----------
        further : str
            Options that a reader adds.
        instead : Mapping[str, str] | None
            What takes the place of an example's words.
        """
        assert command in shown(PAGE) | named(PAGE), f"the page has no {command!r}"
        self.ran.add(command)
        done = Done(0, stdin, "")
        for part in command.split(" | "):
            words = shlex.split(part)
            found = [(instead or {}).get(word, word) for word in words]
            done = run_here(*found, *further, stdin=done.out)
        assert done.status == status, done.out + done.err
        return done.out

    def client(self, service: Any) -> Any:
        return local_clients(self.where)(service)

    def send(self, *words: str) -> None:
        assert run_here("send", *words, "--json").status == 0
        self.running.settle()

    def tickets(self, *words: str) -> dict[str, str]:
        """The tickets by their reason, or kind."""
        listed = json.loads(run_here("dead-letters", "list", "--json", *words).out or "[]")
        return {next(iter(one["reasons"]), one["kind"]): one["id"] for one in listed}

    def delivered(self, source: str) -> int:
        return len(run_here("tail", source).out.splitlines())

    def objects(self, prefix: str) -> set[str]:
        pages = self.client("s3").get_paginator("list_objects_v2")
        listed = pages.paginate(Bucket=self.where.archive_bucket, Prefix=prefix)
        return {one["Key"] for page in listed for one in page.get("Contents", [])}

    def end_fan_out(self) -> set[Path]:
        """Kill the function's processes; return where their code is, which the next call reads."""
        code = set()
        for one in psutil.Process(self.running.process.pid).children(recursive=True):
            with contextlib.suppress(psutil.Error):  # it has ended
                if "stream_processors.fan_out.handler" in one.cmdline():
                    code.add(Path(one.cwd()))
                    one.kill()
        return code

    def forget(self) -> None:
        """Lose what the table remembers of deliveries."""
        dynamodb, table = self.client("dynamodb"), self.where.dedupe_table
        for item in dynamodb.scan(TableName=table)["Items"]:
            dynamodb.delete_item(TableName=table, Key={"pk": item["pk"]})


def until(holds: Callable[[], Any], why: str) -> Any:
    end = time.monotonic() + HANGS
    while not (found := holds()):
        assert time.monotonic() < end, why
        time.sleep(0.05)
    return found


def printed() -> str:
    """What a command that runs here has printed so far."""
    return sys.stdout.getvalue() if isinstance(sys.stdout, io.StringIO) else ""


def stopped(run: Callable[[], Done], when: Callable[[], bool]) -> Done:
    """Type Ctrl-C once a command is ready for it and something holds."""
    before, main = signal.getsignal(signal.SIGINT), os.getpid()
    over = threading.Event()

    def press() -> None:
        while not over.is_set():
            if signal.getsignal(signal.SIGINT) is not before and when():
                os.kill(main, signal.SIGINT)
                return
            over.wait(0.05)

    presser = threading.Thread(target=press, daemon=True)
    presser.start()
    try:
        return run()
    finally:
        over.set()
        presser.join()


@pytest.fixture(scope="module")
def walk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Walk]:
    folder = tmp_path_factory.mktemp("operating")
    sources = folder / "config" / "sources"
    for name in ("alertmanager", "github"):
        shutil.copytree(ROOT / "catalog" / name, sources / name)
    (folder / "config" / "dev.yaml").write_text(STAGE)
    # Both are wrong: the schema asks for what no push has, and a group of alerts has several.
    push = sources / "github" / "schemas" / "push.json"
    push.write_text(push.read_text().replace('"required": [', '"required": ["nosuch",', 1))
    settings = sources / "alertmanager" / "source.yaml"
    settings.write_text(settings.read_text().replace("  path: alerts", "  path: alerts\n  most: 1"))
    places = ("--config", str(folder / "config"), "--assembly", str(folder / "cdk.out"))
    running = Running(folder / ".local", *places)
    try:
        where = running.wait()
        with contextlib.chdir(folder):
            yield Walk(running, where, folder, {"local up"})
    finally:
        running.stop()


def test_a_command_that_nobody_runs_is_noticed() -> None:
    page = (
        "`source`, `redrive show <queue>`, `audit --new`\n```\nmozdef-ef status --new  # it\n```\n"
    )
    assert nobody_runs(page, {"redrive show github"}) == {"audit --new", "status --new"}


@pytest.mark.parametrize("command", NEEDS_AWS)
def test_what_needs_aws_is_spelled_as_it_is(command: str) -> None:
    with given(*command.replace("…", "stack").split()) as context:
        assert not context.args or command.startswith("cdk ")


def test_a_new_pipeline_is_well(walk: Walk) -> None:
    assert "nothing is at risk" in walk("status")
    looked = stopped(lambda: Done(0, walk("status --watch"), ""), lambda: "risk" in printed())
    assert "nothing is at risk" in looked.out


def test_an_event_is_followed_by_each_of_its_ids(walk: Walk) -> None:
    headers = {"Content-Type": "application/json", "Authorization": generic_token(walk.where)}
    answered = post(walk.where, "generic", b'{"followed": 1}', headers)[1]["id"]
    walk.send("github", "member-added")
    message = json.loads(run_here("tail", "github").out)
    said = walk("explain dH_3fVFMwMsOLiU=", instead={"dH_3fVFMwMsOLiU=": answered})
    assert "delivered" in said
    place = {"e6d981fc-dedc-4a78-be35-ac2639ed8588": message["details"]["request_id"]}
    by_delivery = walk("explain e6d981fc-dedc-4a78-be35-ac2639ed8588", instead=place)
    (door,) = re.findall(r"^door .*\n +answered .*", by_delivery, re.MULTILINE)
    assert door in walk("tail github --count 1 | explain -")


def test_each_mess_has_its_ticket_and_stands_in_status(walk: Walk) -> None:
    walk.send("github", "push")
    walk.send("alertmanager", "firing")
    headers = {"Content-Type": "application/json", "Authorization": generic_token(walk.where)}
    assert post(walk.where, "generic", b"no JSON", headers)[0] == 200
    # One source lacks its secret, another one's sender has a new secret that we do not have.
    (name,) = (
        one["Name"]
        for one in walk.client("ssm").describe_parameters()["Parameters"]
        if "/generic-hmac/" in one["Name"]
    )
    walk.client("ssm").delete_parameter(Name=name)
    walk.send("generic-hmac", "--count", "1")
    changed = {**walk.where.parameters, "github": {"signing_secret": NEW}}
    replace(walk.where, parameters=changed).write(walk.running.state)
    walk.send("github", "member-added")
    wanted = {"schema_violation", "too_many_events", "invalid_json", "secret_unavailable"}
    walk.running.settle()
    until(lambda: walk.tickets().keys() >= wanted, "no tickets")
    risks = [one["what"] for one in json.loads(walk("status --json", 1))["risks"]]
    assert [one for one in risks if one.startswith("the secret of generic-hmac is missing")]
    assert [one for one in risks if one.startswith("quarantine grows: 1 event of github")]
    listed = walk("dead-letters list")
    assert {*completions("mozdef-ef dead-letters show ")} == {*walk.tickets().values()}
    for reason, ticket in walk.tickets().items():
        assert ticket in listed
        place = {"3f0c81aa92d1": ticket}
        assert reason in walk("dead-letters show 3f0c81aa92d1", instead=place)
    assert "nosuch" in walk("dead-letters list --causes")
    assert "github" in walk("dead-letters list --groups")
    kept = walk("dead-letters list --quarantine", 0, "--json")
    *_, apart = (one["id"] for one in json.loads(kept) if "bad_signature" in one["reasons"])
    assert "bad_signature" in walk("dead-letters show --quarantine ID", instead={"ID": apart})


def test_secrets_and_settings_are_mended_while_it_runs(walk: Walk) -> None:
    old = walk.where.parameters
    walk("secret rotate github", 0, "--stdin", stdin=NEW)
    secret = old["generic-hmac"]["signing_secret"]
    walk("secret set SOURCE", 0, "--stdin", stdin=secret, instead={"SOURCE": "generic-hmac"})
    sources = walk.folder / "config" / "sources"
    for name in ("github/schemas/push.json", "alertmanager/source.yaml"):
        shutil.copy(ROOT / "catalog" / name, sources / name)
    told = walk.running.output
    until(lambda: "settings taken over" in told.read_text(), told.read_text())
    # With the code there are new processes: they have read no secret yet.
    walk("replay --kind rejected --source github --reason schema_violation --from 3d --dry-run")
    before = walk.delivered("github")
    walk("replay --kind rejected --source github --reason schema_violation --from 3d")
    walk("replay --kind quarantine --source github --from 2h")
    walk("replay --reason secret_unavailable")
    walk.running.settle()
    assert walk.delivered("github") == before + 2
    assert walk.delivered("generic-hmac") == 1
    tickets = walk.tickets()
    for reason in ("schema_violation", "secret_unavailable", "too_many_events"):
        walk("dead-letters replay 3f0c81aa92d1", instead={"3f0c81aa92d1": tickets[reason]})
    dismissed = {"3f0c81aa92d1": tickets["invalid_json"]}
    walk(
        'dead-letters dismiss 3f0c81aa92d1 --reason "test events of the vendor"', instead=dismissed
    )
    walk.running.settle()
    assert walk.delivered("alertmanager") == 2
    assert walk.tickets() == {}
    walk("secret retire github", 1)  # too early: what is on its way has the former one
    walk("secret retire github", 0, "--now")


def test_a_batch_that_was_given_up_is_replayed(walk: Walk) -> None:
    dynamodb, table = walk.client("dynamodb"), walk.where.dedupe_table
    dynamodb.delete_table(TableName=table)
    before = walk.delivered("generic")
    assert run_here("send", "generic", "--count", "1", "--json").status == 0
    mappings = walk.running.state / "status.json"

    def given_up() -> bool:
        """Kill the function in the midst of its call, as often as that takes."""
        found = json.loads(mappings.read_text())["mappings"]
        (fan_out,) = (one for name, one in found.items() if name.startswith("FanOut"))
        if fan_out["in_flight"]:
            walk.end_fan_out()
        return bool(fan_out["gave_up"])

    until(given_up, "nothing was given up")
    (ticket,) = until(lambda: [*walk.tickets("--kind", "failed").values()], "there is no ticket")
    dynamodb.create_table(
        TableName=table,
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    walk("replay --kind failed --from 1d")
    walk.running.settle()
    assert walk.delivered("generic") == before + 1
    walk("dead-letters replay 3f0c81aa92d1", instead={"3f0c81aa92d1": ticket})
    assert walk.tickets() == {}


#: Generated code that does not what it should, which takes the place of a schema's.
BUG = "def validate(body):\n    return body['not']['there']\n"


def test_what_a_deployment_lacks_or_does_wrong_is_mended(walk: Walk) -> None:
    walk.running.settle()
    (code,) = walk.end_fan_out()
    good = {one: one.read_text() for one in code.glob("compiled_catalog/*_default.py")}
    (missing,) = (one for one in good if one.name.startswith("alertmanager_"))
    (wrong,) = (one for one in good if re.match("generic_[0-9a-f]", one.name))
    headers = {"Content-Type": "application/json", "Authorization": generic_token(walk.where)}

    # Each of these characters has three bytes here, and six where MozDef reads it.
    texts = {f"text{number}": "\ufffe" * 5_000 for number in range(40)}
    large = json.dumps(texts, ensure_ascii=False).encode()
    assert post(walk.where, "generic", large, headers)[0] == 200
    until(lambda: "too_large" in walk.tickets(), "no ticket")
    missing.unlink()
    wrong.write_text(BUG)
    walk.end_fan_out()
    walk.client("sqs").delete_queue(QueueUrl=walk.where.queues["github"])
    assert post(walk.where, "generic", b'{"a": 1}', headers)[0] == 200
    for words in (("alertmanager", "firing"), ("github", "member-added")):
        assert run_here("send", *words, "--json").status == 0
    wanted = {"too_large", "processing_error", "schema_unavailable", "queue_unavailable"}
    until(lambda: walk.tickets().keys() >= wanted, "no tickets")
    risks = json.loads(walk("status --json", 1))["risks"]
    assert "MozDef-EF-ingest-dev-github is missing" in " ".join(one["what"] for one in risks)
    assert "no such queue any more" in run_here("tail", "github").err
    causes = walk("dead-letters list --causes")
    assert "processing_error KeyError: 'not'" in causes
    assert "1048576" in causes
    for reason, ticket in walk.tickets().items():
        assert reason in walk("dead-letters show 3f0c81aa92d1", instead={"3f0c81aa92d1": ticket})

    for file, text in good.items():
        file.write_text(text)
    settings, told = walk.folder / "config" / "dev.yaml", walk.running.output
    taken = told.read_text().count("settings taken over")
    settings.write_text(STAGE.replace("retry_attempts: 0", "retry_attempts: 1"))
    until(lambda: told.read_text().count("settings taken over") > taken, told.read_text())
    walk.end_fan_out()
    assert walk.delivered("github") == 0  # it is there again, and what was in it is not
    alerts = walk.delivered("alertmanager")
    tickets = walk.tickets()
    for reason in ("processing_error", "schema_unavailable", "queue_unavailable"):
        walk("dead-letters replay 3f0c81aa92d1", instead={"3f0c81aa92d1": tickets[reason]})
    walk(
        'dead-letters dismiss 3f0c81aa92d1 --reason "test events of the vendor"',
        instead={"3f0c81aa92d1": tickets["too_large"]},
    )
    walk.running.settle()
    assert walk.delivered("github") == 1
    assert walk.delivered("alertmanager") > alerts
    assert '"a":1' in run_here("tail", "generic").out.splitlines()[-1].replace(" ", "")
    assert walk.tickets() == {}


def test_the_readme_does_what_it_says_when_it_is_pasted(walk: Walk) -> None:
    """Line by line, without a pause, and with a real id where the page has none."""
    blocks = _BLOCK.findall((ROOT / "README.md").read_text())
    (block,) = (one for one in blocks if "mozdef-ef send" in one)
    said = {"before": run_here("audit").out}
    for line in block.splitlines():
        program, *words = shlex.split(line, comments=True)
        assert program == ".venv/bin/mozdef-ef"
        if words[-1] == "ID":
            words[-1] = json.loads(said["tail"].splitlines()[0])["details"]["request_id"]
        done = run_here(*words)
        assert done.status == 0, done.err
        said[words[0]] = done.out
    assert len(said["tail"].splitlines()) == 3
    assert "Every event is accounted for; nothing is open" in said["audit"]
    assert _forged(said["audit"]) == _forged(said["before"]) + 4
    assert len(said["dead-letters"].splitlines()) == 1  # the columns alone
    assert "delivered" in said["explain"]


def _forged(audit: str) -> int:
    found = re.search(r"(\d+) kept in quarantine: bad_signature", audit)
    return int(found[1]) if found else 0


def test_what_mozdef_never_deleted_goes_back_to_its_queue(walk: Walk) -> None:
    def never_deleted() -> None:
        sqs, url = walk.client("sqs"), walk.where.queues["github"]
        for _ in range(11):
            sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=1, VisibilityTimeout=0)
        assert walk.delivered("github") == before - 1

    before = walk.delivered("github")
    never_deleted()
    assert "github-redrive\t1" in walk("redrive list")
    (identifier,) = re.findall(r"^id +(\S+)$", walk("redrive show github"), re.MULTILINE)
    walk("redrive back github 6f1c0d2e", instead={"6f1c0d2e": identifier[:8]})
    assert walk.delivered("github") == before
    never_deleted()
    walk("redrive back <queue> --all", instead={"<queue>": "github"})
    assert walk.delivered("github") == before


def test_a_replay_that_was_stopped_goes_on(walk: Walk) -> None:
    words = ("replay", "--kind", "raw", "--source", "github", "--force", "--rate", "0.5")
    done = stopped(lambda: run_here(*words), lambda: True)
    assert done.status == 130, done.out + done.err
    (job,) = set(re.findall(r"replay-\w+-\w+", done.err))
    place = {"replay-20261123T215000Z-1a2b": job}
    before = walk.delivered("github")
    walk("replay --resume replay-20261123T215000Z-1a2b", 0, "--rate", "1000", instead=place)
    walk.running.settle()
    assert walk.delivered("github") > before


def test_what_no_ledger_has_is_found_and_sent_again(walk: Walk) -> None:
    def lost(body: bytes) -> str:
        """An event that nothing tells of any more, but raw/."""
        known = walk.objects("ledger/")
        headers = {"Content-Type": "application/json", "Authorization": generic_token(walk.where)}
        answer = post(walk.where, "generic", body, headers)[1]
        walk.running.settle()
        for key in walk.objects("ledger/") - known:
            walk.client("s3").delete_object(Bucket=walk.where.archive_bucket, Key=key)
        walk.forget()
        return str(answer["id"])

    walk("audit --from 2026-11-01 --to 2026-11-08 --source github --json")
    assert "Every event is accounted for; nothing is open" in walk("audit --from 24h")
    first = lost(b'{"lost": 1}')
    walk.send("generic", "--count", "1")  # its shard's ledger goes on
    before = walk.delivered("generic")
    walk("audit --from 7d --missing-to missing.jsonl", 1, "--grace", "0")
    assert first in (walk.folder / "missing.jsonl").read_text()
    walk("replay --missing missing.jsonl")
    second = lost(b'{"lost": 2}')
    walk("replay --id", 0, second)
    walk.running.settle()
    assert walk.delivered("generic") == before + 3  # the second one was delivered, and got lost


def test_each_command_of_the_page_was_run(walk: Walk) -> None:
    risks = json.loads(run_here("status", "--json").out)["risks"]
    assert [one["what"] for one in risks if not one["what"].startswith("quarantine grows")] == []
    assert nobody_runs(PAGE, walk.ran) == set()


def test_ctrl_c_leaves_nothing_running(walk: Walk) -> None:
    pids = walk.running.descendants()
    assert len(pids) >= 3
    assert walk.running.stop() == 0, walk.running.output.read_text()
    assert not alive(pids)
    assert not (walk.running.state / endpoints.FILE_NAME).exists()
