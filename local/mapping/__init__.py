"""The event source mapping: reads a stream's shards and calls a function with batches of records.

What it does after each invocation is decided in `decision`, which does nothing itself.
"""
