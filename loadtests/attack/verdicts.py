"""An attack, and whether the defence held."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.errors import PipelineError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from loadtests.attack.pipeline import AttackedPipeline

#: Says why the defence held, once all that was sent is settled; raises as an attempt does.
Later = Callable[[], str]


class NotHeldError(PipelineError):
    """The attacker got what he wanted, or it cannot be told that he did not."""


class NotTriedError(PipelineError):
    """The attack needs something that this machine, or this user, does not have."""


@dataclass(frozen=True)
class Attack:
    """One entry of the red team's list.

    Parameters
    ----------
    name : str
        What is attempted, as a person would say it.
    case : str
        The attacker: who could attempt it.
    attempt : Callable[[AttackedPipeline], str | Later]
        Attempts it, and returns why it did not succeed; or what is to be called for that when
        everything that was sent has its outcome. Raises NotHeldError where it succeeded.
    brief : bool
        Whether it is quick enough for `make test`.
    """

    name: str
    case: str
    attempt: Callable[[AttackedPipeline], str | Later]
    brief: bool = True


@dataclass(frozen=True)
class Judgement:
    """What became of an attack; `held` is None where it could not be tried."""

    attack: Attack
    held: bool | None
    reason: str


def carry_out(attacks: Iterable[Attack], arena: AttackedPipeline) -> Iterator[Judgement]:
    """Attempt each, then wait until all is settled, and judge what had to wait."""
    waiting: list[tuple[Attack, Later]] = []
    for attack in attacks:
        said = _attempt(attack, lambda attack=attack: attack.attempt(arena))  # type: ignore[misc]
        if isinstance(said, Judgement):
            yield said
        else:
            waiting.append((attack, said))
    if waiting:
        arena.settle()
    for attack, later in waiting:
        verdict = _attempt(attack, later)
        if isinstance(verdict, Judgement):
            yield verdict


def _attempt(attack: Attack, attempt: Callable[[], str | Later]) -> Judgement | Later:
    try:
        said = attempt()
    except NotTriedError as error:
        return Judgement(attack, None, str(error))
    except NotHeldError as error:
        return Judgement(attack, False, str(error))
    except Exception as error:  # noqa: BLE001 - what cannot be judged is not held
        return Judgement(attack, False, f"cannot be judged: {type(error).__name__}: {error}")
    return Judgement(attack, True, said) if isinstance(said, str) else said


def refuse_if(broken: object, reason: str) -> None:
    """Raise NotHeldError for whatever is there and should not be."""
    if broken:
        raise NotHeldError(reason)
