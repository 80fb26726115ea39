"""What touches AWS: lean clients of the hot path, Protocols of the seams, limits, retry policy."""
