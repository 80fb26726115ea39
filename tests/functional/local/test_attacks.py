"""What another user of the machine, or a web page in its browser, can do while the pipeline runs.

And what they can read once it has ended.
"""

from __future__ import annotations

import http.client
import json
import os
import stat
import subprocess
import sys
from textwrap import dedent
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from loadtests.attack.laptop import CALLS, FOREIGN, NOBODY
from local.emulator import client
from local.state import StateDirectory
from local.state_permissions import StateUnusableError
from local.supervisor import LocalRuntime
from tests.functional.local.small_stack import messages, post

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from local.endpoints import Endpoints

FAKE = (
    "AWS4-HMAC-SHA256 Credential=test/20260101/us-west-2/{}/aws4_request, "
    "SignedHeaders=host;x-amz-date, Signature=" + 64 * "0"
)
#: What needs a key, with one that nobody has.
FORGED: list[tuple[str, str, dict[str, str], bytes]] = [
    ("GET", "/", {"Authorization": FAKE.format("s3")}, b""),
    ("POST", "/", {"Authorization": FAKE.format("lambda")}, b"{}"),
]


@pytest.fixture
def runtime(assembly: Path, state: Path) -> Iterator[LocalRuntime]:
    with LocalRuntime(assembly, state=state, port=None) as started:
        yield started


def call(
    url: str, method: str, path: str, headers: Mapping[str, str], body: bytes
) -> tuple[int, dict[str, str]]:
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=600)
    try:
        connection.request(method, path, body, dict(headers))
        answer = connection.getresponse()
        answer.read()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}
    finally:
        connection.close()


def test_the_emulator_answers_nobody_else(runtime: LocalRuntime) -> None:
    where = runtime.endpoints
    for method, path, headers, body in [*CALLS, *FORGED]:
        for more in FOREIGN:
            status, answered = call(where.aws_endpoint_url, method, path, {**headers, **more}, body)
            assert status == 403, (method, path, headers, more)
            assert not [name for name in answered if name.startswith("access-control")]
    assert post(where, "event") == 200
    assert runtime.wait_until_idle(60)
    assert messages(where) == ["event"]


def test_the_runs_own_calls_are_answered_without_letting_pages_read_them(
    runtime: LocalRuntime,
) -> None:
    found: list[dict[str, str]] = []
    sqs = _own(runtime.endpoints)
    sqs.meta.events.register(
        "after-call", lambda parsed, **_: found.append(parsed["ResponseMetadata"]["HTTPHeaders"])
    )
    sqs.list_queues()
    assert not [name for name in found[0] if name.startswith("access-control")]


def _own(where: Endpoints) -> Any:
    return client(
        "sqs",
        endpoint_url=where.aws_endpoint_url,
        region=where.region,
        credentials=where.credentials,
    )


def test_the_gateway_answers_to_its_own_name_alone(runtime: LocalRuntime) -> None:
    for host in ("evil.example", "127.0.0.1.evil.example", "evil.example:80"):
        status, _ = call(runtime.endpoints.api, "POST", "/hook", {"Host": host}, b"{}")
        assert status == 403
    port = urlsplit(runtime.endpoints.api).port
    named = {"Host": f"localhost:{port}", "Authorization": "yes"}
    assert call(runtime.endpoints.api, "POST", "/hook", named, b'"event"')[0] == 200


def open_to_others(state: Path) -> list[str]:
    """Return what others could read, write or enter, whatever lies above it."""
    return [
        f"{path} {stat.S_IMODE(os.lstat(path).st_mode):o}"
        for path in (state, *state.rglob("*"))
        if os.lstat(path).st_mode & 0o077 and not path.is_symlink()
    ]


def test_nothing_in_the_state_directory_is_for_others(assembly: Path, state: Path) -> None:
    before = os.umask(0o022)
    try:
        with LocalRuntime(assembly, state=state, port=None) as runtime:
            assert post(runtime.endpoints, "event") == 200
            assert runtime.wait_until_idle(60)
            while_it_runs = open_to_others(state)
        after = open_to_others(state)
    finally:
        os.umask(before)
    assert while_it_runs == after == []
    kept = {path.name for path in state.rglob("*") if path.is_file()}
    assert {"ssm.json", "complete", "emulator.log", "gateway.log"} <= kept  # it was looked at


def test_the_state_directory_of_an_older_version_is_closed(state: Path) -> None:
    inside = state / "emulator" / "s3" / "bucket"
    inside.mkdir(parents=True)
    files = [state / "emulator" / "ssm.json", inside / "object"]
    outside = state.parent / "others"
    for file in (*files, outside):
        file.write_text("x")
        file.chmod(0o666)
    (state / "emulator" / "link").symlink_to(outside)
    state.chmod(0o777)

    with StateDirectory(state):
        assert open_to_others(state) == []
    assert stat.S_IMODE(outside.stat().st_mode) == 0o666


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files to others")
@pytest.mark.parametrize("part", [".", "emulator", "logs/runtime.log", "endpoints.json"])
def test_a_state_directory_of_another_user_is_refused_in_one_line(state: Path, part: str) -> None:
    (state / "emulator").mkdir(parents=True)
    (state / "logs").mkdir()
    (state / "logs" / "runtime.log").write_text("")
    (state / "endpoints.json").write_text("")
    os.chown(state / part, NOBODY, NOBODY)
    with pytest.raises(StateUnusableError, match=rf"belongs to another user \(id {NOBODY}\)") as e:
        StateDirectory(state).__enter__()
    assert "\n" not in str(e.value)


def test_a_file_is_no_state_directory(state: Path) -> None:
    state.write_text("")
    with pytest.raises(StateUnusableError, match="no directory"):
        StateDirectory(state).__enter__()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can start a process of another user")
def test_another_user_of_the_machine_reads_nothing_and_calls_nothing(
    runtime: LocalRuntime, state: Path
) -> None:
    address = urlsplit(runtime.endpoints.aws_endpoint_url).netloc
    script = f"""
        import encodings.idna, http.client, json, os, pathlib
        os.setgroups([])
        os.setgid({NOBODY})
        os.setuid({NOBODY})
        found = []
        for path in map(pathlib.Path, {[str(state), str(state / "endpoints.json")]!r}):
            try:
                found.append(str(list(path.iterdir()) if path.suffix == "" else path.read_text()))
            except PermissionError:
                pass
        for pid in {runtime.pids()!r}:
            for name in ("environ", "cmdline"):
                try:
                    found.append(pathlib.Path(f"/proc/{{pid}}/{{name}}").read_bytes().decode())
                except PermissionError:
                    pass
        connection = http.client.HTTPConnection({address!r})
        connection.request("POST", "/", b"{{}}", {{"X-Amz-Target": "AmazonSSM.DescribeParameters"}})
        answer = connection.getresponse()
        print(json.dumps([os.geteuid(), found, answer.status, answer.read().decode()]))
    """
    state.parent.chmod(0o755)
    done = subprocess.run(
        [sys.executable, "-I", "-c", dedent(script)],
        cwd="/",
        env={},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    user, found, status, body = json.loads(done.stdout)
    assert (user, status) == (NOBODY, 403)
    secrets = [
        runtime.endpoints.credentials.secret_access_key,
        runtime.endpoints.credentials.access_key_id,
        *(value for kinds in runtime.endpoints.parameters.values() for value in kinds.values()),
    ]
    assert not [one for one in secrets if one in json.dumps(found) + body]
    assert found  # command lines can be read by everybody
