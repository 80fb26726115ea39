"""The page of one event: its whole way."""
