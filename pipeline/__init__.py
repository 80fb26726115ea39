"""The domain: envelopes, sources, signatures, validation, MozDef events, duplicates, delivery."""
