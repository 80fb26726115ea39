"""Stacks that are synthesized once for all tests of this folder, without network or account."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from infra.assembly.app import synthesize, template_path
from settings.deployment import (
    ArchiverSettings,
    ArchiveSettings,
    Deployment,
    FanOutSettings,
    StageQueue,
    StreamSettings,
)
from settings.deployment_polling import PollerSettings
from settings.deployment_protection import (
    AtTheDoor,
    Domain,
    Limit,
    ReceiverSettings,
    ThrottleSettings,
)
from settings.deployment_table import TableSettings
from settings.source.loader import load_sources
from tests.infra.delivery_support import (
    DeliveryAssembly,
    assembly_of,
    synthesize_config,
    write_config,
)
from tests.support.once import made_once
from tests.support.receiving import write_sources

if TYPE_CHECKING:
    from collections.abc import Callable

ALARMS = """\
version: 1
title: A source of a deployment's own, with two queues of which it shares one, and a network
authentication: {type: token, prefix: "Bearer "}
methods: [POST, PUT]
content_types: [application/json, text/plain]
headers: {keep: [X-Kind], require: [X-Kind]}
event_type: {header: X-Kind}
allowed_networks: [192.0.2.0/24]
queue: {name: github, by_type: {fire: urgent}}
"""
"""In the settings' own form, so that the tests do not depend on what the catalogue holds."""


HOOKS = """\
version: 1
title: Straight to the stream, with a token in a header of its own and a handshake by GET
authentication: {type: token, header: X-Gitlab-Token}
handshake: {get: {header: X-Hook-Challenge, field: verification}}
"""
FETCHED = """\
version: 1
title: Fetched, so nothing is posted to it
ingest: poll
poll:
  base_url: https://api.example.com
  credential: {type: header}
  feeds:
    events:
      path: /events
      events: "."
      pagination: {type: link}
headers: {keep: [X-Poll-Feed]}
delivery_id: {path: id}
"""


@dataclass(frozen=True)
class Synthesized:
    """A cloud assembly."""

    folder: Path
    template: Path

    @cached_property
    def document(self) -> dict[str, Any]:
        """The application stack's template; tests only read it."""
        document: dict[str, Any] = json.loads(self.template.read_text())
        return document

    def all(self, resource_type: str) -> dict[str, dict[str, Any]]:
        """Return the properties of each resource of a type, by logical id."""
        return {
            logical_id: resource.get("Properties", {})
            for logical_id, resource in self.document["Resources"].items()
            if resource["Type"] == resource_type
        }

    def one(self, resource_type: str, containing: str = "") -> tuple[str, dict[str, Any]]:
        """Return the one resource of a type whose logical id contains this."""
        found = [item for item in self.all(resource_type).items() if containing in item[0]]
        assert len(found) == 1, f"{resource_type}: {[logical_id for logical_id, _ in found]}"
        return found[0]

    def asset(self, key: str) -> Path:
        """Return the folder of an asset by its S3 key."""
        return self.folder / f"asset.{key.removesuffix('.zip')}"


@pytest.fixture(scope="session")
def layer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A layer that needs no package registry."""

    def make(folder: Path) -> None:
        (folder / "python").mkdir()
        (folder / "python" / "six.py").write_text("")

    return made_once(tmp_path_factory, "layer", "six", make)


@pytest.fixture(scope="session")
def synthesized(
    layer: Path, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[Deployment], Synthesized]:
    """Synthesize a deployment, once for all workers; what is read of it is read once by each."""

    known: dict[str, Synthesized] = {}

    def run(deployment: Deployment) -> Synthesized:
        def make(folder: Path) -> None:
            sources = load_sources(deployment.sources, deployment.source_directory)
            synthesize(deployment, sources, folder, layer=layer)

        key = deployment.model_dump_json()
        if key not in known:
            folder = made_once(tmp_path_factory, "assembly", key, make)
            known[key] = Synthesized(folder, template_path(deployment, folder))
        return known[key]

    return run


@pytest.fixture(scope="session")
def private_sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with one private source, `alarms`."""

    def make(folder: Path) -> None:
        (folder / "alarms").mkdir()
        (folder / "alarms" / "source.yaml").write_text(ALARMS)

    return made_once(tmp_path_factory, "sources", ALARMS, make)


@pytest.fixture(scope="session")
def deployment(private_sources: Path) -> Deployment:
    """Sources with tokens and with signatures, of the catalogue and private."""
    return Deployment(
        stage="test",
        service="ingest",
        sources=("github", "generic", "alarms"),
        source_directory=private_sources,
    )


@pytest.fixture(scope="session")
def stack(synthesized: Callable[[Deployment], Synthesized], deployment: Deployment) -> Synthesized:
    """The stack that most tests look at."""
    return synthesized(deployment)


@pytest.fixture(scope="session")
def received_sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with sources that choose the receiver, and one of each other way in."""

    def make(folder: Path) -> None:
        write_sources(folder)
        for name, settings in {"hooks": HOOKS, "fetched": FETCHED}.items():
            (folder / name).mkdir()
            (folder / name / "source.yaml").write_text(settings)

    return made_once(tmp_path_factory, "sources", HOOKS + FETCHED, make)


@pytest.fixture(scope="session")
def received_deployment(received_sources: Path) -> Deployment:
    """Sources that choose the receiver, and one of each other way in."""
    return Deployment(
        stage="test",
        service="ingest",
        sources=("github", "hooks", "fetched", "meetings", "parcels"),
        source_directory=received_sources,
    )


@pytest.fixture(scope="session")
def received(
    synthesized: Callable[[Deployment], Synthesized], received_deployment: Deployment
) -> Synthesized:
    """A stack with a receiver."""
    return synthesized(received_deployment)


@pytest.fixture(scope="session")
def everything(
    synthesized: Callable[[Deployment], Synthesized], private_sources: Path
) -> Synthesized:
    """All ways in, and all that guards them."""
    return synthesized(
        Deployment(
            stage="prod",
            service="all",
            sources=("github", "generic", "slack", "okta-system-log", "duo-admin", "alarms"),
            source_directory=private_sources,
            pollers={
                "okta-system-log": PollerSettings(variables={"domain": "example.okta.com"}),
                "duo-admin": PollerSettings(variables={"host": "api-00000000.duosecurity.com"}),
            },
            authorizer=AtTheDoor(reserved_concurrency=50),
            receiver=ReceiverSettings(reserved_concurrency=200),
            web_acl=True,
            domain=Domain(
                name="hooks.example.com",
                certificate_arn="arn:aws:acm:us-west-2:111111111111:certificate/1",
            ),
        )
    )


@pytest.fixture(scope="session")
def other_deployment(received_sources: Path) -> Deployment:
    """Settings of its own in place of each default, an HTTP API among them."""
    return Deployment(
        stage="test",
        service="ingest",
        sources=("github", "generic", "okta", "splunk"),
        source_directory=received_sources,
        region="eu-west-1",
        stream=StreamSettings(
            mode="provisioned", shards=3, retention_hours=24, max_record_kib=4_096
        ),
        fan_out=FanOutSettings(
            batch_size=7,
            batching_window_seconds=0,
            parallelization_factor=2,
            enhanced_fan_out=True,
            memory_mb=512,
            timeout_seconds=30,
            retry_attempts=3,
            reserved_concurrency=9,
        ),
        archiver=ArchiverSettings(
            batch_size=70, batching_window_seconds=5, memory_mb=256, retry_attempts=2
        ),
        archive=ArchiveSettings(
            raw_days=90, cold_after_days=None, quarantine_days=7, former_sources=("zoom",)
        ),
        table=TableSettings(
            mode="provisioned", least_units=1_400, most_units=8_000, target_percent=60
        ),
        queues={
            name: StageQueue(receive_wait_seconds=0)
            for name in ("github", "generic", "okta", "splunk")
        },
        access_log="full",
        door="http_api",
        receiver=ReceiverSettings(system_log=False),
        throttle=ThrottleSettings(by_source={"github": Limit(rate=500, burst=250)}),
        domain=Domain(
            name="hooks.example.com",
            certificate_arn="arn:aws:acm:us-west-2:111111111111:certificate/1",
            truststore="s3://authorities/senders.pem",
        ),
    )


@pytest.fixture(scope="session")
def other(
    synthesized: Callable[[Deployment], Synthesized], other_deployment: Deployment
) -> Synthesized:
    """The stack of these settings."""
    return synthesized(other_deployment)


@pytest.fixture(scope="session")
def make_delivery(
    layer: Path, private_sources: Path, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str, bool], DeliveryAssembly]:
    """Synthesize a delivery pipeline, once for all workers."""

    @cache
    def make(mode: str, many: bool) -> DeliveryAssembly:
        def write(folder: Path) -> None:
            write_config(folder, mode, many=many, private_sources=private_sources)
            synthesize_config(folder, layer)

        return assembly_of(made_once(tmp_path_factory, "delivery", f"{mode} {many}", write))

    return make


@pytest.fixture(scope="session")
def delivery(make_delivery: Callable[[str, bool], DeliveryAssembly]) -> DeliveryAssembly:
    """The pipeline that most tests look at: two repositories, three accounts, many sources."""
    return make_delivery("both", True)
