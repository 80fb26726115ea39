"""Handlers behind the stream."""
