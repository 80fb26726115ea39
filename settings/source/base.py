"""What the models of a source folder share."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

SourceName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,39}$")]
QueueName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,40}$")]
QueryName = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,64}$")]
HeaderName = Annotated[str, Field(pattern=r"^[A-Za-z0-9-]{1,64}$")]
FieldPath = Annotated[
    str,
    Field(min_length=1, max_length=200, description=r"dotted; a dot of a key's own is \."),
]

SECRET_HEADERS = frozenset(
    {"authorization", "proxy-authorization", "cookie", "set-cookie", "x-api-key", "x-gitlab-token"}
)


class Model(BaseModel):
    """A part of `source.yaml`: unknown keys are refused, and nothing changes after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True)
