"""The laptop runtime: runs a synthesized stack on this machine."""
