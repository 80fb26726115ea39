"""Feeds of REST APIs: what is new is fetched, put on the stream, and only then checkpointed."""
