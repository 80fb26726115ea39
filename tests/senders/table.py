"""The table of senders: who they are, and the folder of settings that takes each of them in."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, TypeAdapter, model_validator

from catalog import FOLDER as CATALOG

FOLDER = Path(__file__).parent


class Sender(BaseModel):
    """One row of `table.yaml`.

    Parameters
    ----------
    family : str | None
        The kind of `authentication` in its folder; None for one that is not expressible.
    security : bool
        Whether its events are of use to a security team.
    evidence : str
        How sure the scheme is: `lib`, the sender's library says the same; `page`, its page was
        read; `code`, that of a published receiver was; `memory`, none of them.
    catalog : str
        The built-in source that takes it in; else the folder of its id, beside the table. Requests
        of the table are there in either case.
    reason : str
        Why no folder of settings takes it in.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str
    name: str
    family: str | None = None
    security: bool = False
    evidence: Literal["lib", "page", "code", "memory"]
    catalog: str = ""
    reason: str = ""
    note: str = ""

    @model_validator(mode="after")
    def _placed(self) -> Sender:
        if bool(self.reason) == (self.folder / "source.yaml").exists():
            raise ValueError(f"{self.id}: has either a reason or a source, in {self.folder}")
        if bool(self.reason) == bool(self.family):
            raise ValueError(f"{self.id}: has either a reason or a family")
        return self

    @property
    def own_folder(self) -> Path:
        """Where its requests are that are not the catalogue's."""
        return FOLDER / self.id

    @property
    def folder(self) -> Path:
        """Where its source is."""
        return CATALOG / self.catalog if self.catalog else self.own_folder


def read_table() -> list[Sender]:
    """Read `table.yaml`."""
    document = yaml.safe_load((FOLDER / "table.yaml").read_text(encoding="utf-8"))
    return TypeAdapter(list[Sender]).validate_python(document)
