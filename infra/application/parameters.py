"""The parameters that hold the sources' secrets: their names, and whom they are granted by."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from aws_cdk import Stack

    from settings.deployment import Deployment
    from settings.source.loader import LoadedSource

WINDOW = "learn_until"
"""The last part of the name of the parameter that says until when secrets are learned."""


class SourceParameters:
    """The parameters of the sources of one stack.

    Parameters
    ----------
    sources : Mapping[str, LoadedSource]
        By name.
    """

    def __init__(
        self, stack: Stack, deployment: Deployment, sources: Mapping[str, LoadedSource]
    ) -> None:
        self._stack = stack
        self._deployment = deployment
        self._sources = sources

    def arns(self, kind: str, *, ingest: str | None = None) -> list[str]:
        """Return the parameters of one kind: of all sources, or of those that come in one way."""
        return [
            self._arn(source, kind)
            for _, source in sorted(self._sources.items())
            if source.settings.parameter == kind and ingest in {None, source.settings.ingest}
        ]

    def read_at_the_door(self, served: Mapping[str, LoadedSource]) -> list[str]:
        """Return what the receiver of these sources reads: secrets, and until when it learns."""
        return [
            self._arn(source, kind)
            for wanted in ("auth_token", "signing_secret")
            for _, source in sorted(served.items())
            for kind in source.settings.receiver_parameters
            if kind == wanted
        ] + [self._arn(source, WINDOW) for source in _learned(served)]

    def written_at_the_door(self, served: Mapping[str, LoadedSource]) -> list[str]:
        """Return what the receiver of these sources writes: secrets that a handshake brings."""
        return [self._arn(source, source.settings.parameter) for source in _learned(served)]

    def described(self, source: LoadedSource) -> dict[str, object]:
        """Return the names of a source's parameters, as the stack's output has them."""
        further = {
            kind: self._deployment.parameter(source.name, kind)
            for kind in source.settings.parameters
        }
        own = further.pop(source.settings.parameter, "")
        return {
            **({"parameter": own} if own else {}),
            **({"further_parameters": [*further.values()]} if further else {}),
        }

    def _arn(self, source: LoadedSource, kind: str) -> str:
        name = self._deployment.parameter(source.name, kind)
        return self._stack.format_arn(service="ssm", resource="parameter", resource_name=name[1:])


def _learned(served: Mapping[str, LoadedSource]) -> Sequence[LoadedSource]:
    return [
        source
        for _, source in sorted(served.items())
        if any(rule.learn for rule in source.settings.handshake_rules)
    ]
