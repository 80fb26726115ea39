"""The checks of `make deploy-check`, in their order."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from loadtests.deploy_check.frame import DeployCheck

CHECKS: tuple[DeployCheck, ...] = ()
