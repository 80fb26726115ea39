"""Sources without their proof, to judge what nobody signed: nothing is signed in its stead."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pipeline.event.compiled_source import Catalog
from toolbox.sources.samples_as_sent import proof_headers

if TYPE_CHECKING:
    from pipeline.event.compiled_handshake import Handshake
    from settings.source.loader import LoadedSource

_HMAC = "$hmac"


def without_proof(catalog: Catalog, loaded: LoadedSource) -> Catalog:
    """Return a catalogue with one source alone, which takes whatever it is sent.

    Its other rules stay: networks, content types, and required headers but for those of the proof.
    A handshake is answered but for an HMAC, which goes by the request's own signature.
    """
    source = catalog.sources[loaded.name]
    of_proof = proof_headers(loaded.settings)
    open_to_all = replace(
        source,
        authentication="none",
        signature=None,
        proof_of_body=None,
        handshakes=tuple(map(_answered_to_all, source.handshakes)),
        token_header="",
        token_query="",
        token_in_path=False,
        required_headers=tuple(
            name for name in source.required_headers if name.lower() not in of_proof
        ),
    )
    return Catalog({loaded.name: open_to_all})


def _answered_to_all(rule: Handshake) -> Handshake:
    form = rule.answer
    fields = form.object
    if isinstance(fields, dict):
        fields = {name: what for name, what in fields.items() if what != _HMAC}
    headers = {name: what for name, what in form.headers.items() if what != _HMAC}
    text = "" if form.text == _HMAC else form.text
    answer = replace(form, object=fields, headers=headers, text=text)
    return replace(rule, proof="none", token=None, answer=answer)
