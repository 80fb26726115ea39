"""The command line `mozdef-ef`: a module for each group of commands."""
