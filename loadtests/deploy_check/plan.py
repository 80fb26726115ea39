"""The checks of `make deploy-check`, in their order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from loadtests.deploy_check.builds import BUILDS
from loadtests.deploy_check.permissions import PERMISSIONS
from loadtests.deploy_check.quotas import QUOTAS, SET_NAMES

if TYPE_CHECKING:
    from loadtests.deploy_check.frame import DeployCheck

CHECKS: tuple[DeployCheck, ...] = (BUILDS, QUOTAS, SET_NAMES, PERMISSIONS)
