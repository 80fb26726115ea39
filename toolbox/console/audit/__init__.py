"""The page that accounts for each event of a span, and exports that account."""
