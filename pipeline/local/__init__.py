"""The laptop runtime: runs the synthesized template on this machine."""
