"""Built-in samples that say that a library signed them: the library says so, too."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING

import pytest

from settings.source.loader import available_sources
from tests.support.catalogue import built_in_samples
from tests.support.libraries import LIBRARIES

if TYPE_CHECKING:
    from toolbox.sources.samples import LoadedSample

SAMPLES = {
    f"{name}/{sample.name}": sample
    for name in available_sources()
    if name in LIBRARIES
    for sample in built_in_samples(name)
    if sample.settings.as_sent and sample.settings.as_sent.signed_by.startswith("library ")
}


@pytest.mark.parametrize("where", SAMPLES)
def test_a_library_signs_as_the_sample_has_it(where: str) -> None:
    sample: LoadedSample = SAMPLES[where]
    sent = sample.settings.as_sent
    assert sent is not None
    _, name, pinned = sent.signed_by.split()
    assert version(name) == pinned
    library = LIBRARIES[sample.source.name]
    headers = {key.lower(): value for key, value in sent.headers}
    if name == "standardwebhooks":
        from standardwebhooks import Webhook

        webhook = Webhook(sent.secrets[0])
        value = webhook.sign(headers["webhook-id"], sent.at, sample.body.decode())
        assert headers["webhook-signature"] == value
        return
    made = library.sign(sent.secrets[0], sample.body, int(sent.at.timestamp()))
    assert made.items() <= headers.items()
    if name == "gidgethub":  # it verifies alone
        assert library.accepts(headers, sample.body, sent.secrets[0])
        assert not library.accepts(headers, sample.body, "another")


def test_each_library_has_a_sample() -> None:
    assert {where.partition("/")[0] for where in SAMPLES} == set(LIBRARIES)
