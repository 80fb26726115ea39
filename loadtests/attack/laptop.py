"""Another user of the machine, or a web page in its browser, while the pipeline runs."""

from __future__ import annotations

import itertools
import json
import os
import stat
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from textwrap import dedent
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from loadtests.attack.verdicts import NotTriedError, refuse_if

if TYPE_CHECKING:
    from collections.abc import Iterator

    from loadtests.attack.pipeline import AttackedPipeline

NOBODY = 65_534
#: Method, path, headers and body of calls that read, write or run something.
CALLS: list[tuple[str, str, dict[str, str], bytes]] = [
    ("POST", "/2015-03-31/functions", {"Content-Type": "text/plain"}, b'{"FunctionName":"x"}'),
    ("POST", "/2015-03-31/functions/x/invocations", {"Content-Type": "text/plain"}, b"{}"),
    ("POST", "/", {"X-Amz-Target": "AmazonSSM.DescribeParameters"}, b"{}"),
    ("POST", "/", {"X-Amz-Target": "AmazonSSM.GetParametersByPath"}, b'{"Path":"/"}'),
    ("POST", "/", {"X-Amz-Target": "Kinesis_20131202.ListStreams"}, b"{}"),
    ("POST", "/", {"X-Amz-Target": "DynamoDB_20120810.ListTables"}, b"{}"),
    ("POST", "/", {"X-Amz-Target": "AmazonSQS.ListQueues"}, b"{}"),
    ("POST", "/", {"Content-Type": "text/plain"}, b"Action=ListQueues&Version=2012-11-05"),
    ("POST", "/?Action=ListStacks&Version=2010-05-15", {"Content-Type": "text/plain"}, b""),
    ("GET", "/", {}, b""),
    ("OPTIONS", "/", {"Access-Control-Request-Method": "POST"}, b""),
    ("GET", "/_ministack/health", {}, b""),
    ("GET", "/_ministack/sqs/messages", {}, b""),
    ("POST", "/_ministack/reset", {}, b""),
    ("POST", "/_ministack/config", {}, b"{}"),
    ("GET", "/_localstack/health", {}, b""),
    ("GET", "/.well-known/openid-configuration", {}, b""),
]
#: Headers that a page, or a name that was bound anew, brings along.
FOREIGN: list[dict[str, str]] = [
    {},
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
    {"Host": "evil.example"},
    {"Host": "x.lambda-url.us-west-2.localhost:4566"},
]


def unsigned_calls(arena: AttackedPipeline) -> str:
    """Call the emulator as a page or another user can: with no key, and from elsewhere."""
    tried = 0
    for (method, path, headers, body), more in itertools.product(CALLS, FOREIGN):
        status, _ = _emulator(arena, method, path, {**headers, **more}, body)
        refuse_if(status != 403, f"{method} {path} with {more or 'nothing'}: answered {status}")
        tried += 1
    refuse_if(arena.for_pages, f"answers have {', '.join(sorted(arena.for_pages))}")
    return f"{tried} calls without the run's key, each answered 403, of which no page reads one"


def wrongly_signed_calls(arena: AttackedPipeline) -> str:
    """Call with a guessed key, a used signature, another body, and as a page with the right key."""
    own = Credentials(*_own(arena))
    target = {"X-Amz-Target": "AmazonSSM.DescribeParameters"}
    refuse_if(_signed(arena, own, target)[0] != 200, "the run's own key is refused")
    wrong = {
        "a guessed key": _signed(arena, Credentials("test", "test"), target),
        "the right id with a guessed secret": _signed(
            arena, Credentials(own.access_key, "x"), target
        ),
        "an old signature": _signed(arena, own, target, age=timedelta(minutes=20)),
        "another body": _signed(arena, own, target, sent=b'{"MaxResults":1}'),
        "a page's Origin": _signed(arena, own, target, more={"Origin": "http://127.0.0.1"}),
        "a page's Referer": _signed(arena, own, target, more={"Referer": "http://localhost/"}),
        "a foreign Host": _signed(arena, own, target, more={"Host": "evil.example"}),
    }
    for what, (status, _) in wrong.items():
        refuse_if(status != 403, f"{what}: answered {status}")
    for service in ("lambda", "ecs", "codebuild", "ec2", "iam", "secretsmanager"):
        status, _ = _signed(arena, own, {}, service=service)
        refuse_if(status not in {403, 501}, f"{service}, which is not in use: answered {status}")
    return f"{len(wrong)} forms refused; no service answers that is not in use"


def foreign_hosts_at_the_api(arena: AttackedPipeline) -> str:
    """Reach the API from a page whose name was bound to this machine, and read its answers."""
    hosts = ("evil.example", "127.0.0.1.evil.example", "evil.example:80", "[::ffff:1.2.3.4]")
    for host in hosts:
        status, _ = arena.post("/generic", b"{}", {"Host": host})
        refuse_if(status != 403, f"the host {host} was answered {status}")
    page = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}
    for method in ("OPTIONS", "POST", "GET"):
        arena.post("/generic", b"{}", page, method)
    refuse_if(arena.for_pages, f"answers have {', '.join(sorted(arena.for_pages))}")
    return f"{len(hosts)} foreign hosts, each answered 403; no answer lets a page read it"


def open_files(arena: AttackedPipeline) -> str:
    """Look for what others may read, write or enter in the state directory."""
    found = [
        f"{path.name} {stat.S_IMODE(os.lstat(path).st_mode):o}"
        for path in (arena.state, *arena.state.rglob("*"))
        if not path.is_symlink() and _mode(path) & 0o077
    ]
    refuse_if(found, f"open to others: {', '.join(found[:3])}")
    return "nothing in the state directory is for others"


def _mode(path: Path) -> int:
    try:
        return os.lstat(path).st_mode
    except FileNotFoundError:
        return 0


def secrets_in_command_lines(arena: AttackedPipeline) -> str:
    """Read the command lines of the runtime's processes, which everybody may."""
    lines = b"".join(_line(pid) for pid in arena.pids())
    refuse_if(not lines, "no command line can be read")
    refuse_if([one for one in _secrets(arena) if one.encode() in lines], "one holds a secret")
    return f"{len(arena.pids())} processes, none with a secret in its command line"


def _line(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def another_user(arena: AttackedPipeline) -> str:
    """As another user of the system: read files, look into processes, call the emulator."""
    if os.geteuid() != 0:
        raise NotTriedError("only root can start a process of another user")
    script = _AS_NOBODY.format(
        user=NOBODY,
        paths=[str(arena.state), str(arena.state / "endpoints.json")],
        pids=list(arena.pids()),
        address=urlsplit(arena.where.aws_endpoint_url).netloc,
    )
    done = subprocess.run(
        [sys.executable, "-I", "-c", dedent(script)],
        cwd="/", env={}, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    refuse_if(done.returncode, f"the other user's process failed: {done.stderr[-200:]}")
    user, entered, found, status = json.loads(done.stdout)
    refuse_if(user != NOBODY, "it did not run as another user")
    refuse_if(entered, f"read: {entered}")
    refuse_if(status != 403, f"the emulator answered {status}")
    refuse_if([one for one in _secrets(arena) if one in found], "it saw a secret")
    return "reads no file and no environment, and gets 403"


_AS_NOBODY = """
    import encodings.idna, http.client, json, os, pathlib
    os.setgroups([])
    os.setgid({user})
    os.setuid({user})
    entered, found = [], ""
    for path in map(pathlib.Path, {paths!r}):
        try:
            found += str(list(path.iterdir()) if path.suffix == "" else path.read_text())
            entered.append(path.name)
        except OSError:
            pass
    for pid in {pids!r}:
        for name in ("environ", "cmdline", "maps"):
            try:
                found += pathlib.Path(f"/proc/{{pid}}/{{name}}").read_bytes().decode("latin-1")
                entered += [f"{{pid}}/{{name}}"] if name != "cmdline" else []
            except OSError:
                pass
    connection = http.client.HTTPConnection({address!r}, timeout=60)
    connection.request("POST", "/", b"{{}}", {{"X-Amz-Target": "AmazonSSM.DescribeParameters"}})
    print(json.dumps([os.geteuid(), entered, found, connection.getresponse().status]))
"""


def _own(arena: AttackedPipeline) -> tuple[str, str]:
    own = arena.where.credentials
    return own.access_key_id, own.secret_access_key


def _secrets(arena: AttackedPipeline) -> Iterator[str]:
    yield _own(arena)[1]
    for kinds in arena.where.parameters.values():
        yield from (line for value in kinds.values() for line in value.splitlines() if line)


def _emulator(
    arena: AttackedPipeline, method: str, path: str, headers: dict[str, str], body: bytes
) -> tuple[int, bytes]:
    return arena.post(path, body, headers, method, url=arena.where.aws_endpoint_url)


def _signed(
    arena: AttackedPipeline,
    credentials: Credentials,
    headers: dict[str, str],
    *,
    service: str = "ssm",
    age: timedelta = timedelta(),
    sent: bytes = b"{}",
    more: dict[str, str] | None = None,
) -> tuple[int, bytes]:
    """Sign the body `{}` with botocore, so that the guard is not asked to check itself."""
    url = f"{arena.where.aws_endpoint_url}/"
    headers = {"Content-Type": "application/x-amz-json-1.1", **headers}
    request: Any = AWSRequest("POST", url, headers=headers, data=b"{}")
    signer = _DatedAuth(credentials, service, arena.where.region)
    signer.now = datetime.now(UTC) - age
    signer.add_auth(request)
    made = {**dict(request.headers.items()), **(more or {})}
    return _emulator(arena, "POST", "/", made, sent)


class _DatedAuth(SigV4Auth):
    """Signs as of a time; botocore asks the clock."""

    now = datetime.min.replace(tzinfo=UTC)

    def add_auth(self, request: Any) -> None:
        request.context["timestamp"] = self.now.strftime("%Y%m%dT%H%M%SZ")
        parts: Any = self  # botocore's types know no private parts
        parts._modify_request_before_signing(request)
        text = self.string_to_sign(request, self.canonical_request(request))
        parts._inject_signature_to_request(request, self.signature(text, request))
