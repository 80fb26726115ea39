"""The pages of sources: how each is set, what its sender needs, and a request tried or sent."""
