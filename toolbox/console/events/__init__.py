"""The page that lists and searches events."""
