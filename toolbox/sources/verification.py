"""Whether somebody else than this project signed a sample of a source."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from settings.bounded import UnfitFileError, parse_yaml, read_own
from settings.reading import checked
from settings.source.loader import SourceError
from toolbox.sources.checking_paths import PathWarning
from toolbox.sources.sample_file import SampleFile
from toolbox.sources.samples_as_sent import OURSELVES, signs

if TYPE_CHECKING:
    from collections.abc import Iterator

    from settings.source.loader import LoadedSource

Verification = Literal["verified", "unverified", "unsigned"]


def verification_of(source: LoadedSource) -> Verification:
    """Say whether a sample was signed by somebody else; `unsigned` needs none."""
    if not signs(source.settings):
        return "unsigned"
    return "verified" if next(signers(source), None) else "unverified"


def signers(source: LoadedSource) -> Iterator[str]:
    """Return who signed the samples of a source whose proof fits, but for those signed here."""
    for path in sorted((source.folder / "samples").glob("*.yaml")):
        try:
            content = read_own(source.folder, path)
            if b"as_sent:" not in content:
                continue  # it takes a tenth of the time that YAML does
            sample = checked(SampleFile, parse_yaml(content), path, SourceError)
        except (UnfitFileError, SourceError):
            continue  # the check of the sample says what is wrong with it
        sent = sample.as_sent
        if sent is not None and sent.signed_by != OURSELVES and sample.expect.proof_fits:
            yield sent.signed_by


def unverified(source: LoadedSource) -> list[PathWarning]:
    """Return a warning where all that is known of a source's scheme is that it fits itself."""
    if verification_of(source) != "unverified":
        return []
    text = (
        "unverified: nothing but our own signature was checked, and a wrong scheme fits that as "
        "well; give a sample with as_sent"
    )
    return [PathWarning(source.name, "authentication", text)]
