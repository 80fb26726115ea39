"""How commands speak: tables, progress, JSON, text from outside, Ctrl-C."""
