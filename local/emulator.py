"""Runs the emulator of the AWS services that the pipeline uses, on a loopback port."""

from __future__ import annotations

import functools
import http.client
import importlib.util
import logging
import os
import shutil
import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Self

import boto3
import botocore.session
from botocore.config import Config
from botocore.utils import parse_timestamp

from local.credentials import RunCredentials
from local.emulator_access import SERVICES
from local.iam.mode import IamMode
from local.processes import HOST, NO_CERTIFICATES, Child, ProcessFailedError, listen
from local.state import COMPLETE

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from local.clients import Clients

_START_SECONDS = 60.0
_log = logging.getLogger(__name__)
# Clients may be shared by threads; a session that makes them may not (boto3, "Sessions").
_making_a_client = threading.Lock()


class Emulator:
    """ministack in a process of its own; its state is kept in a directory and found again there.

    Parameters
    ----------
    services : Iterable[str]
        Those that it answers, by the name that is signed.
    iam : IamMode
        What it does about calls of roles; their model is in the state directory by then.

    Attributes
    ----------
    credentials : RunCredentials
        Made anew for each; a request that is not signed with them is answered 403.
    """

    def __init__(
        self,
        state: Path,
        *,
        region: str,
        services: Iterable[str] = SERVICES,
        iam: IamMode = IamMode.OFF,
    ) -> None:
        self.region = region
        self.credentials = RunCredentials.make()
        self._services = ",".join(services)
        self.directory = state / "emulator"
        self._iam = {"IAM_MODE": iam.value, "IAM_STATE": str(state)}
        self._log_file = state / "logs" / "emulator.log"
        self._inherited: list[int] = []
        self._child: Child | None = None
        self.endpoint_url = ""

    def discard_incomplete_state(self) -> bool:
        """Remove the state of an emulator that was killed before it had written all of it.

        Returns
        -------
        bool
            Whether there is a state to go on with.
        """
        marker = self.directory / COMPLETE
        if marker.exists():
            marker.unlink()
            return True
        if self.directory.exists():
            _log.warning("%s: incomplete, so it is not used", self.directory)
            shutil.rmtree(self.directory)
        return False

    def keep_open(self, descriptor: int) -> None:
        """Have the process keep a file descriptor open as long as it lives."""
        self._inherited.append(descriptor)

    def start(self) -> None:
        """Start the process and wait until it answers.

        Raises
        ------
        ProcessFailedError
            When it does not, or is not installed.
        """
        if importlib.util.find_spec("ministack") is None:
            raise ProcessFailedError("ministack is not installed; run 'make setup'")
        with listen(None) as listener:
            port = listener.getsockname()[1]
            self._child = Child(
                "the emulator (ministack)",
                "local.emulator_process",
                arguments=[str(listener.fileno())],
                environment=self._environment(port),
                log=self._log_file,
                inherited=[listener.fileno(), *self._inherited],
            )
        self.endpoint_url = f"http://{HOST}:{port}"
        try:
            self._child.wait_for(lambda: _answers(port), seconds=_START_SECONDS)
        except BaseException:
            self.stop()
            raise

    def check(self) -> None:
        """Make sure that it runs; ProcessFailedError otherwise."""
        if self._child:
            self._child.check()

    @property
    def pid(self) -> int:
        """The id of its process."""
        return self._child.pid if self._child else 0

    def stop(self) -> None:
        """End the process; it keeps its state."""
        if self._child:
            self._child.stop()
            self._child = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def client(self, service: Any) -> Any:
        """Return a boto3 client of one of its services."""
        return client(
            service,
            endpoint_url=self.endpoint_url,
            region=self.region,
            credentials=self.credentials,
        )

    def _environment(self, port: int) -> dict[str, str]:
        return {
            "BIND_HOST": HOST,
            "GATEWAY_PORT": str(port),
            "IOT_MTLS_ENABLED": "0",  # these two would listen on ports of their own
            "SFTP_ENABLED": "0",
            "LOG_LEVEL": "WARNING",
            "MINISTACK_HOST": HOST,
            "MINISTACK_REGION": self.region,
            "PERSIST_STATE": "1",
            "STATE_DIR": str(self.directory),
            "S3_PERSIST": "1",
            "S3_DATA_DIR": str(self.directory / "s3"),
            # Nothing of the user's own: containers, certificates, start-up scripts.
            "DOCKER_HOST": f"unix://{os.devnull}.none",
            "USE_SSL": "0",
            "SERVICES": self._services,
            **NO_CERTIFICATES,
            **self._iam,
            **self.credentials.environment(),
        }


class AttachedEmulator(Emulator):
    """An emulator that another process has started, and ends; a runtime leaves it as it is.

    Parameters
    ----------
    state : Path
        The runtime's own directory, not the emulator's.
    """

    def __init__(
        self, state: Path, *, region: str, endpoint_url: str, credentials: RunCredentials
    ) -> None:
        super().__init__(state, region=region)
        self.endpoint_url = endpoint_url
        self.credentials = credentials

    def discard_incomplete_state(self) -> bool:
        """Return that there is a state to go on with: it never left."""
        return True

    def start(self) -> None:
        """Start nothing."""


@functools.cache
def _session() -> boto3.Session:
    """Return the session of all clients; reading AWS's endpoints takes a while, so once."""
    session = botocore.session.Session(
        session_vars={
            "profile": (None, None, None, None),
            "config_file": (None, None, os.devnull, None),
            "credentials_file": (None, None, os.devnull, None),
        }
    )
    session.get_component("response_parser_factory").set_parser_defaults(timestamp_parser=_time)
    return boto3.Session(botocore_session=session)


def clients(*, endpoint_url: str, region: str, credentials: RunCredentials) -> Clients:
    """Return what makes clients of a local endpoint, as `client` does, and one for each service."""

    @functools.cache
    def make(service: Any) -> Any:
        return client(service, endpoint_url=endpoint_url, region=region, credentials=credentials)

    return make


def client(service: Any, *, endpoint_url: str, region: str, credentials: RunCredentials) -> Any:
    """Return a boto3 client that goes to a local endpoint with the credentials of its run.

    The user's own profile, configuration files and proxy have no part in it.
    """
    config = Config(
        connect_timeout=5,
        read_timeout=60,
        max_pool_connections=32,
        proxies={},
        retries={"mode": "standard", "total_max_attempts": 3},
        s3={"addressing_style": "path"},
    )
    with _making_a_client:
        return _session().client(
            service,
            endpoint_url=endpoint_url,
            region_name=region,
            aws_access_key_id=credentials.access_key_id,
            aws_secret_access_key=credentials.secret_access_key,
            config=config,
        )


def _time(value: Any) -> datetime:
    """Read a time of an answer; botocore looks up the machine's time zone for each."""
    if isinstance(value, int | float):
        return datetime.fromtimestamp(value, UTC)
    return parse_timestamp(value)


def _answers(port: int) -> bool:
    connection = http.client.HTTPConnection(HOST, port, timeout=5)
    try:
        connection.request("GET", "/")
        return connection.getresponse().status == 403  # it asks who it is, so it runs
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
