"""Load and faults on the local pipeline, with an account of every event."""
