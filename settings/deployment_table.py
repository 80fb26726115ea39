"""How the deduplication table's capacity is paid for: the part `table` of `config/<stage>.yaml`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from settings.source.base import Model

MOST_UNITS = 40_000
"""Amazon DynamoDB Developer Guide, quotas: read or write units of one table, unless raised."""

Units = Annotated[int, Field(ge=1, le=MOST_UNITS)]


class TableSettings(Model):
    """The deduplication table: a unit is one event read, or one written, in a second."""

    mode: Literal["on_demand", "provisioned"] = "on_demand"
    least_units: Units | None = Field(default=None, description="kept at any time")
    most_units: Units | None = Field(default=None, description="beyond, DynamoDB throttles")
    # Amazon DynamoDB Developer Guide, auto scaling: a target utilization is 20 to 90%.
    target_percent: int = Field(default=70, ge=20, le=90)

    @model_validator(mode="after")
    def _bounds_when_provisioned(self) -> TableSettings:
        least, most = self.least_units, self.most_units
        if self.mode == "on_demand":
            if least is not None or most is not None:
                raise ValueError("'least_units' and 'most_units' are for 'mode: provisioned'")
        elif least is None or most is None:
            raise ValueError("'mode: provisioned' needs 'least_units' and 'most_units'")
        elif most < least:
            raise ValueError("'most_units' is not below 'least_units'")
        return self

    @property
    def bounds(self) -> tuple[int, int] | None:
        """The fewest and the most units; None where DynamoDB scales by itself."""
        if self.least_units is None or self.most_units is None:
            return None
        return self.least_units, self.most_units
