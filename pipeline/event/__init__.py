"""The way of one event without services: envelope, identity, signature, schema, MozDef message."""
