"""The soak run: senders and faults for a while, then an account of every event."""
