"""What a runtime does about the calls that its parts make."""

from __future__ import annotations

from enum import StrEnum


class IamMode(StrEnum):
    """Nothing; write them down; or write them down and refuse what policies do not allow."""

    OFF = "off"
    RECORD = "record"
    ENFORCE = "enforce"
