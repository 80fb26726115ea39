"""Requests as a sender makes them, and the way to send many."""
