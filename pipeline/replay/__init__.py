"""Puts archived events back on the stream."""
