"""How a stage fetches from an API: the part `pollers` of `config/<stage>.yaml`."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlsplit

from pydantic import Field, field_validator

from settings.source.base import Model
from settings.source.polling import VariableName

# Values become parts of URLs. One that is all dots would climb out of its path.
VariableValue = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-][A-Za-z0-9._-]*$", max_length=200)]
_BASE_URL = r"^https?://[A-Za-z0-9.-]+(:[0-9]{1,5})?(/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)*/?$"
_LOOPBACK = {"127.0.0.1", "localhost"}


class PollerSettings(Model):
    """Where one source's API is for this stage. What is not set is as `source.yaml` says."""

    base_url: str | None = Field(
        default=None, pattern=_BASE_URL, max_length=300, description="in the place of the source's"
    )
    variables: dict[VariableName, VariableValue] = Field(default_factory=dict)
    start_hours_ago: int | None = Field(
        default=None, ge=0, le=24 * 365, description="where the very first poll begins"
    )
    every_minutes: int | None = Field(default=None, ge=1, le=1_440)

    @field_validator("base_url")
    @classmethod
    def _encrypted(cls, base_url: str | None) -> str | None:
        if base_url is None:
            return None
        url = urlsplit(base_url)
        if url.scheme != "https" and url.hostname not in _LOOPBACK:
            raise ValueError(
                "use https; http is for this machine alone, such as http://127.0.0.1:8080"
            )
        try:
            _ = url.port
        except ValueError as error:
            raise ValueError(f"no such port: {error}") from None
        return base_url.rstrip("/")
