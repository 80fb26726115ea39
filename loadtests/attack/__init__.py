"""`make attack`: what a red team tried, against the local runtime; says of each whether it held."""
