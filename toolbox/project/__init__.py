"""Which settings a command works with, and how it is told: one rule for all of them."""
