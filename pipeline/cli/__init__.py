"""The `mozdef-ef` command: one module for each command group."""
