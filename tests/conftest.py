"""Fixtures that several kinds of tests share."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

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
)

from pipeline.sources.compiled import Catalog, load_catalog
from pipeline.sources.compiler import write_compiled_catalog
from pipeline.sources.loader import LoadedSource, available_sources, load_sources
from tests.support.bench import Bench


@pytest.fixture(scope="session")
def sources() -> dict[str, LoadedSource]:
    """Every source of the catalogue."""
    return load_sources(sorted(available_sources()))


@pytest.fixture(scope="session")
def catalog(sources: dict[str, LoadedSource], tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    """The catalogue as the build compiles it."""
    directory: Path = tmp_path_factory.mktemp("compiled")
    write_compiled_catalog(sources, directory)
    sys.path.insert(0, str(directory))
    return load_catalog()


@pytest.fixture
def bench(catalog: Catalog) -> Bench:
    """A fan-out processor on fakes."""
    return Bench(catalog)
