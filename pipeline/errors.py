"""The base of every error that this project raises on purpose."""


class PipelineError(Exception):
    """Something that the message explains: what was wrong, where, and what to do."""
