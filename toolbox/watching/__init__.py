"""The state of a pipeline now: of a stack on AWS, or of the one on this machine."""
