"""A source: the model of its `source.yaml`, its loader, and the compiler of the catalogue."""
