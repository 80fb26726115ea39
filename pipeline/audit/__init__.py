"""The audit: what came in, joined with what became of it."""
