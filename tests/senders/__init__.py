"""The table of senders: who they are, and that each is taken in by a folder of settings."""
