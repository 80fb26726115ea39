"""The first page: how the pipeline is now."""
