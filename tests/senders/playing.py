"""Sends the requests of the table's senders, as they are and with their proof spoilt."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pipeline.event.outcomes import OutcomeKind
from pipeline.receiving.answers import Answer
from settings.source.loader import SourceError, load_source
from toolbox.sources.checking import describe, explain
from toolbox.sources.checking_proofs import spoilt_trials
from toolbox.sources.rehearsal import Rehearsal, compiled, make_secret
from toolbox.sources.samples import load_samples

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from settings.source.loader import LoadedSource
    from tests.senders.table import Sender
    from toolbox.sources.rehearsal import Ending
    from toolbox.sources.samples import LoadedSample

#: When those requests come that have no time of their own.
_AT = 1_795_464_503.123
#: Of several that signed, the first is named.
_RANK = ("library", "documentation", "capture", "ourselves", "nobody", "itself")
#: Whose proof is no signature.
_UNSIGNED = frozenset({"basic", "body_token", "mtls", "network", "poll", "token", "none"})


@dataclass(frozen=True)
class Row:
    """A sender, and what became of its requests.

    Parameters
    ----------
    signed_by : str
        Who signed: a library with its version, a page, 'ourselves' (the makers of requests beside
        the table), 'itself' (the project, as samples are signed that say nothing else); 'nobody'
        where nothing is signed. Empty where the sender has no folder.
    accepted : bool | None
        Whether each request of the folder ended as it must; None without a folder.
    wrong_secret, changed_bit : bool | None
        Whether it was refused with another secret, and with a bit of its body changed; None where
        that was not to be tried.
    faults : tuple[str, ...]
        What is not as it must be.
    """

    sender: Sender
    signed_by: str = ""
    accepted: bool | None = None
    wrong_secret: bool | None = None
    changed_bit: bool | None = None
    faults: tuple[str, ...] = ()

    @property
    def signer(self) -> str:
        """The kind of who signed."""
        return self.signed_by.partition(" ")[0]


def play_table(senders: Iterable[Sender]) -> list[Row]:
    """Send the requests of every sender that has a folder; all are compiled in one go."""
    listed = list(senders)
    sources: dict[str, LoadedSource] = {}
    broken: dict[str, SourceError] = {}
    for one in listed:
        try:
            sources |= {} if one.reason else {one.id: load_source(one.folder)}
        except SourceError as error:
            broken[one.id] = error
    by_name = {source.name: source for source in sources.values()}
    with compiled(by_name) as catalog:
        rehearsal = Rehearsal(by_name, catalog, (make_secret(), make_secret()), now=_AT)
        return [
            _played(one, sources[one.id], rehearsal)
            if one.id in sources
            else Row(one, faults=tuple(map(str, broken[one.id].faults)) if one.id in broken else ())
            for one in listed
        ]


def _played(sender: Sender, source: LoadedSource, rehearsal: Rehearsal) -> Row:
    samples = _chosen(sender, source)
    faults = [fault for sample in samples for fault in _misfits(rehearsal, sample)]
    accepted = not faults
    if not any(sample.settings.expect.outcome == "delivered" for sample in samples):
        faults.append("has no request that is delivered")
    if source.settings.proof != sender.family:
        faults.append(f"is {source.settings.proof}, and {sender.family} in the table")
    verdicts: dict[bool, bool] = {}
    for trial in (one for sample in samples for one in spoilt_trials(rehearsal, sample)):
        of_secret = not trial.change.startswith("a bit")
        verdicts[of_secret] = trial.refused and verdicts.get(of_secret, True)
        if not trial.refused:
            faults.append(f"with {trial.change} it is not turned away")
    signers = {_signed_by(one, source.settings.proof) for one in samples}
    return Row(
        sender,
        min(signers, key=lambda text: _RANK.index(text.partition(" ")[0]), default=""),
        accepted,
        verdicts.get(True),
        verdicts.get(False),
        tuple(faults),
    )


def _chosen(sender: Sender, source: LoadedSource) -> list[LoadedSample]:
    """Return what is played: the samples of the table, and of a built-in source those as sent.

    There is one event at least: where nobody else made one, it is signed as the source says.
    """
    samples = list(load_samples(replace(source, folder=sender.own_folder)))
    if sender.catalog:
        built_in = list(load_samples(source))
        samples += [one for one in built_in if one.settings.as_sent is not None]
        if not any(one.settings.expect.outcome == "delivered" for one in samples):
            samples += [one for one in built_in if one.settings.expect.outcome == "delivered"][:1]
    return samples


def _signed_by(sample: LoadedSample, proof: str) -> str:
    if proof in _UNSIGNED:
        return "nobody"
    return sample.settings.as_sent.signed_by if sample.settings.as_sent else "itself"


def _misfits(rehearsal: Rehearsal, sample: LoadedSample) -> Iterator[str]:
    expect, ending = sample.settings.expect, rehearsal.play(sample)
    if not _ends_as(ending, expect.outcome, expect.status or 0, expect.events):
        yield f"{sample.name}: expected {expect.outcome}, is {describe(ending)}: {explain(ending)}"
    elif isinstance(ending.door, Answer):
        told = {name: ending.door.told.get(name) for name in expect.answer}
        if told != expect.answer:
            yield f"{sample.name}: expected {expect.answer}, is {told}"


def _ends_as(ending: Ending, outcome: str, status: int, events: int) -> bool:
    if isinstance(ending.door, Answer):
        return describe(ending) == (f"refused {status}" if outcome == "refused" else outcome)
    kinds = [one.kind for one in ending.outcomes]
    return kinds == [OutcomeKind(outcome)] * events
