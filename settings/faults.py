"""What is wrong with a settings file, as data: file, key, what is expected, what was found."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from pipeline.errors import PipelineError

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True)
class Fault:
    """What is wrong, and where.

    Parameters
    ----------
    file : str
        The file, or the folder of a source; empty where no file is to blame.
    key : str
        The key in it, dotted; empty where the whole file is meant.
    expected : str
        What is wrong with it, or what is expected there.
    found : str
        What stands there instead, as a person would write it; empty where that says nothing.
    """

    file: str
    key: str
    expected: str
    found: str = ""

    def __str__(self) -> str:
        said = f"{self.expected}, not {self.found}" if self.found else self.expected
        return ": ".join(part for part in (self.file, self.key, said) if part)

    def document(self) -> dict[str, str]:
        """Return it for a program to read."""
        return asdict(self)


class WrongSettingsError(PipelineError):
    """Settings are wrong. `faults` has each of them, the message is one line for each.

    Parameters
    ----------
    *faults : Fault | str
        What is wrong; a text where it is not the fault of a key in a file.
    """

    def __init__(self, *faults: Fault | str) -> None:
        self.faults = tuple(
            Fault("", "", fault) if isinstance(fault, str) else fault for fault in faults
        )
        super().__init__("\n".join(map(str, self.faults)))

    @property
    def lines(self) -> tuple[str, ...]:
        """A line for each fault; what is quoted in one makes no line of its own."""
        return tuple(map(str, self.faults))


class WrongKeysError(ValueError):
    """Raised by a validator of a model: values that do not go together, each with its key.

    Parameters
    ----------
    *wrong : tuple[str, str]
        Key below the model, dotted, and what is expected there.
    """

    def __init__(self, *wrong: tuple[str, str]) -> None:
        self.wrong = wrong
        super().__init__("; ".join(f"{key}: {expected}" for key, expected in wrong))


def refuse(wrong: Iterable[tuple[str, str]]) -> None:
    """Refuse a model's values where anything is wrong with them.

    Raises
    ------
    WrongKeysError
        With all that is wrong.
    """
    if found := tuple(wrong):
        raise WrongKeysError(*found)
