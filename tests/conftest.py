"""Fixtures that several kinds of tests share."""

from __future__ import annotations

import gc
import importlib
import os
import sys
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest
from botocore.loaders import JSONFileLoader
from hypothesis import HealthCheck, Phase, settings

# boto3 must never find a real account, whatever the machine's settings are.
os.environ.update(
    AWS_ACCESS_KEY_ID="local",
    AWS_SECRET_ACCESS_KEY="local",
    AWS_DEFAULT_REGION="us-west-2",
    AWS_REGION="us-west-2",
    AWS_EC2_METADATA_DISABLED="true",
    AWS_CONFIG_FILE="/dev/null",
    AWS_SHARED_CREDENTIALS_FILE="/dev/null",
    STAGE="dev",
    POWERTOOLS_SERVICE_NAME="ingest",
    POWERTOOLS_METRICS_NAMESPACE="MozDef-EF",
    POWERTOOLS_LOG_LEVEL="INFO",
    # The CDK's own rules only warn, and take longer than all the rest of a synthesis. The tests of
    # `mozdef-ef cdk` run with them, and see that they find nothing.
    CDK_VALIDATION="false",
)
# The hundreds of processes that the tests start would each compile anew what they import.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

from pipeline.event.compiled_source import Catalog, load_catalog
from settings.source.compiler import write_compiled_catalog
from settings.source.loader import LoadedSource, available_sources
from tests.support.bench import Bench
from tests.support.catalogue import built_in
from tests.support.once import made_once

_MODELS = lru_cache(maxsize=64)(JSONFileLoader().load_file)


def _load_file(self: JSONFileLoader, file_path: str) -> Any:
    """Parse a service's model once for all of boto3's sessions: they are up to 2 MB each.

    A client of S3 takes the bucket out of the paths of the model that it was given.
    """
    load = _MODELS.__wrapped__ if f"{os.sep}s3{os.sep}" in file_path else _MODELS
    return load(file_path)


JSONFileLoader.load_file = _load_file  # type: ignore[method-assign]

# No clock judges an example: on a busy machine a pause of a second is usual. The suite says the
# same at each run; HYPOTHESIS_PROFILE=search looks for inputs that nobody has tried yet.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("suite", settings.get_profile("patient"), derandomize=True)
settings.register_profile(
    "mutants", settings.get_profile("suite"), phases=(Phase.explicit, Phase.generate)
)
settings.register_profile("random", settings.get_profile("patient"))
settings.register_profile("search", settings.get_profile("patient"), max_examples=1_000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "suite"))


@pytest.fixture(scope="session")
def sources() -> dict[str, LoadedSource]:
    """Every source of the catalogue."""
    return {name: built_in(name) for name in sorted(available_sources())}


@pytest.fixture(scope="session")
def catalog(sources: dict[str, LoadedSource], tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    """The catalogue as the build compiles it."""
    directory = made_once(
        tmp_path_factory, "catalog", "", lambda folder: write_compiled_catalog(sources, folder)
    )
    sys.path.insert(0, str(directory))
    return load_catalog()


@pytest.fixture
def bench(catalog: Catalog) -> Bench:
    """A fan-out processor on fakes."""
    return Bench(catalog)


#: They use one running pipeline, one after the other, so one worker has them all. What looks for
#: tickets comes first: each look reads those that there are.
TOGETHER = (
    "e2e/test_replay.py",
    "e2e/test_local_pipeline.py",
    "e2e/test_metrics_exist.py",
    "e2e/test_identity.py",
)
#: cfn-lint takes its three seconds in one worker; what these synthesize is shared with all others.
LINTED = (
    "infra/delivery_pipeline/test_delivery.py",
    "infra/watching/test_watching.py",
    "infra/application/test_stack.py",
    "infra/application/test_http_door.py",
    "infra/application/test_poller.py",
)
SCOPES = {**dict.fromkeys(TOGETHER, "together"), **dict.fromkeys(LINTED, "linted")}
#: What takes longest, so that no core waits for it at the end. The others follow as they are
#: collected; within a file, tests keep their order.
LONGEST_FIRST = (
    *TOGETHER,
    "e2e/test_million.py",
    "e2e/test_console.py",
    "e2e/test_operating_page.py",
    "e2e/test_demo.py",
    "infra/delivery_pipeline/test_build_commands.py",
    "functional/toolbox/test_deploying_page.py",
    *LINTED,
    "functional/loadtests/test_load.py",
    "functional/loadtests/test_smoke.py",
    "functional/local/test_nothing_is_left.py",
    "functional/toolbox/test_cli_cdk.py",
    "functional/local/test_supervisor.py",
    "e2e/test_polling.py",
    "e2e/test_audit.py",
    "functional/toolbox/test_cli_source.py",
    "functional/toolbox/test_cli_secret.py",
    "functional/toolbox/test_adding_a_source.py",
    "functional/local/test_supervisor_refusals.py",
    "e2e/test_reconciler.py",
    "functional/local/test_schedules.py",
    "functional/local/test_attacks.py",
    "functional/local/test_hooks.py",
    "infra/assembly/test_wheel.py",
    "infra/assembly/test_assets.py",
    "infra/application/test_protection.py",
    # What is pure is a run of its own.
    "unit/fan_out/test_bounds.py",
    "unit/loadtests/test_bench_contenders.py",
    "property/event/test_signatures.py",
    "unit/mutants/test_runner.py",
    "unit/loadtests/test_bench_proofs.py",
    "unit/settings/test_schema_agreement.py",
    "property/toolbox/test_inference.py",
    "property/archive/test_packing.py",
    "unit/loadtests/test_bench_check.py",
    "unit/toolbox/test_hostile_options.py",
    "property/polling/test_polling.py",
    "unit/toolbox/test_index_checking.py",
)


def pytest_sessionstart(session: pytest.Session) -> None:
    """Have each worker import the test files from another place on.

    In one order, all of them would compile each file at the same time on a clean checkout.
    """
    worker = getattr(session.config, "workerinput", None)
    if worker is None:
        return
    root = Path(__file__).parents[1]
    folders = [Path(word.partition("::")[0]) for word in session.config.args]
    files = [file for folder in folders for file in sorted(folder.rglob("test_*.py"))]
    first = len(files) * int(worker["workerid"].removeprefix("gw")) // worker["workercount"]
    for file in files[first:] + files[:first]:
        name = ".".join(file.resolve().relative_to(root).with_suffix("").parts)
        # Collecting comes to it again, and says what is wrong.
        with suppress(Exception, pytest.skip.Exception):
            importlib.import_module(name)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> object:
    """Deal out files, and those that belong together as one."""
    from xdist.scheduler import LoadFileScheduling  # type: ignore[import-untyped]

    class Scheduling(LoadFileScheduling):  # type: ignore[misc]
        def _split_scope(self, nodeid: str) -> str:
            file = str(super()._split_scope(nodeid))
            return SCOPES.get(file.removeprefix("tests/"), file)

    return Scheduling(config, log) if config.getvalue("dist") == "loadfile" else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the files first that wait for processes or for the CDK."""
    tests = Path(__file__).parent
    place = {tests / name: number for number, name in enumerate(LONGEST_FIRST)}
    items.sort(key=lambda item: place.get(item.path, len(place)))
    _refuse_clocks(items)


def _refuse_clocks(items: list[pytest.Item]) -> None:
    """What a test leaves out by itself takes the place of what its profile leaves out."""
    for item in items:
        own = getattr(getattr(item, "obj", None), "_hypothesis_internal_use_settings", None)
        if own and (own.deadline or HealthCheck.too_slow not in own.suppress_health_check):
            raise pytest.UsageError(f"{item.nodeid}: a clock judges it; name too_slow as well")


def pytest_collection_finish() -> None:
    """Leave what was collected out of the collector's rounds: 8,000 tests stay to the end."""
    gc.collect()
    gc.freeze()
