"""What the functions run: the code, and the layers under it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from aws_cdk import aws_lambda as lambda_

from infra.application.functions import ARCHITECTURE, RETENTIONS, RUNTIME, FunctionPackage

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from aws_cdk import aws_kms as kms
    from constructs import Construct

    from settings.source.loader import LoadedSource


@dataclass(frozen=True)
class FunctionAssets:
    """The folders that become the functions' code and their layers, and say what these are made of.

    Parameters
    ----------
    proofs : Path or None
        The layer of those that check public keys and JSON Web Tokens; None where no source needs
        it.
    bills : Path
        The bills of materials, which are published with the other assets.
    """

    code: Path
    layer: Path
    proofs: Path | None
    bills: Path


class FunctionPackages:
    """The package of most functions, and of those that check the proofs of some sources.

    Parameters
    ----------
    scope : Construct
        What the layers belong to.
    """

    def __init__(
        self, scope: Construct, *, assets: FunctionAssets, key: kms.Key | None, retention_days: int
    ) -> None:
        self.base = FunctionPackage(
            code=lambda_.Code.from_asset(str(assets.code)),
            layers=(
                _layer(
                    scope,
                    "Dependencies",
                    assets.layer,
                    "The functions' dependencies, from requirements-runtime.lock",
                ),
            ),
            key=key,
            log_retention=RETENTIONS[retention_days],
        )
        self._proving = self.base
        if assets.proofs:
            layer = _layer(
                scope,
                "Proofs",
                assets.proofs,
                "For public keys and JSON Web Tokens, from requirements-proofs.lock",
            )
            self._proving = replace(self.base, layers=(*self.base.layers, layer))

    def proving(self, sources: Iterable[LoadedSource]) -> FunctionPackage:
        """Return what a function runs that checks the proofs of these sources."""
        needed = any(source.settings.needs_proofs_layer for source in sources)
        return self._proving if needed else self.base


def _layer(
    scope: Construct, construct_id: str, folder: Path, description: str
) -> lambda_.LayerVersion:
    return lambda_.LayerVersion(
        scope,
        construct_id,
        code=lambda_.Code.from_asset(str(folder)),
        description=description,
        compatible_runtimes=[RUNTIME],
        compatible_architectures=[ARCHITECTURE],
    )
