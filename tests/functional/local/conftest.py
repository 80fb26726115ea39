"""Fixtures of the local runtime's tests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from local import emulator_patches
from local.emulator import Emulator
from tests.functional.local.small_stack import write_assembly
from tests.functional.local.support import REGION

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def shared_emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    with Emulator(tmp_path_factory.mktemp("emulator"), region=REGION) as started:
        yield started


@pytest.fixture
def assembly(tmp_path: Path) -> Path:
    return write_assembly(tmp_path / "cdk.out")


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


@pytest.fixture
def patched_sqs() -> Iterator[Any]:
    """Return the emulator's SQS module in this process, patched and empty."""
    from ministack.services import sqs

    emulator_patches.apply()
    sqs.reset()
    yield sqs
    sqs.reset()
