"""The pages of replays: what would be sent, what is sent, and what was."""
