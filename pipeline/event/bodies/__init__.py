"""Bodies that are not plain JSON: of the compiled sources, only those with such bodies load it."""
