"""Puts envelopes on the stream: by shard, in aggregates, at a pace."""
