"""The built-in sources: a folder of settings, schemas and samples for each, and no code."""

from pathlib import Path

FOLDER = Path(__file__).parent
