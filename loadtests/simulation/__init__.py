"""A discrete simulation of a stack at rates that no machine here reaches: `make simulate`."""
