"""The audit: whether every event of a span is accounted for."""
