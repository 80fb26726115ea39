"""Compares what the two consumers of the stream account for: each record must be with both."""
