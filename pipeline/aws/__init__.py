"""Lean clients of the services that each batch calls, and their signatures."""
