"""The pages of tickets: why they are there, and their cure."""
