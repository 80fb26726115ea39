"""Handlers at the front door."""
