"""Benchmarks: CPU time of the parts, beside the floor and beside other designs, in one run."""
