"""Reads the stage of an API: its name, and the limits of its methods."""

from __future__ import annotations

from typing import TYPE_CHECKING

from local.gateway.model import RateLimit
from local.gateway.properties import Properties
from local.template import TemplateError

if TYPE_CHECKING:
    from local.template import Template

_STAGE = (
    "AccessLogSetting", "CacheClusterEnabled", "DeploymentId", "Description", "MethodSettings",
    "RestApiId", "StageName", "Tags", "TracingEnabled",
)  # fmt: skip
_SETTING = (
    "CachingEnabled", "DataTraceEnabled", "HttpMethod", "LoggingLevel", "MetricsEnabled",
    "ResourcePath", "ThrottlingBurstLimit", "ThrottlingRateLimit",
)  # fmt: skip
_DEFAULT_BURST = 5000


class StageSettings:
    """The one stage of a template.

    Raises
    ------
    TemplateError
        When there is none, or more than one, or it has a cache.
    """

    def __init__(self, template: Template, api: str) -> None:
        stages = Properties.all_of(template, "Stage")
        if len(stages) != 1:
            raise TemplateError(
                f"{api}: has {len(stages)} stages; the local gateway serves exactly one"
            )
        (self._stage,) = stages
        self._stage.only(_STAGE)
        if self._stage.get("CacheClusterEnabled", bool, default=False):
            raise self._stage.unsupported("CacheClusterEnabled", supported="false")
        self.name = self._stage.get("StageName", str)
        self.deployment = self._stage.get("DeploymentId", str, "deployment")
        self._throttles = dict(map(_throttle, filter(_throttles, self._settings())))

    def _settings(self) -> list[Properties]:
        settings = self._stage.parts("MethodSettings")
        for setting in settings:
            setting.only(_SETTING)
            if setting.get("CachingEnabled", bool, default=False):
                raise setting.unsupported("CachingEnabled", supported="false")
        return settings

    def throttle(self, path: str, http_method: str) -> RateLimit | None:
        """Return the limit of a method: its own, or what the stage has for all."""
        keys = ((path, http_method), (path, "*"), ("*", http_method), ("*", "*"))
        return next((self._throttles[key] for key in keys if key in self._throttles), None)


def _throttles(setting: Properties) -> bool:
    # -1 is how the limit of a method is taken away.
    return any(
        setting.get(name, float, -1.0) >= 0
        for name in ("ThrottlingRateLimit", "ThrottlingBurstLimit")
    )


def _throttle(setting: Properties) -> tuple[tuple[str, str], RateLimit]:
    # CloudFormation writes the path "/a/b" as "/~1a~1b", and all paths as "/*".
    path = setting.get("ResourcePath", str, "/*").removeprefix("/").replace("~1", "/")
    return (path, setting.get("HttpMethod", str, "*")), RateLimit(
        setting.get("ThrottlingRateLimit", float, float("inf")),
        setting.get("ThrottlingBurstLimit", int, _DEFAULT_BURST),
    )
