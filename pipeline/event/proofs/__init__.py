"""Kinds of proof beside tokens and HMACs: a source's catalogue loads the one that it needs."""
