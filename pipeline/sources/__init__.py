"""Event sources: their model, how they are loaded, compiled and read at run time."""
