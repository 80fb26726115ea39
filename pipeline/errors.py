"""The base of every error that this project raises on purpose."""


class PipelineError(Exception):
    """Something that the message explains: what was wrong, where, and what to do."""

    @property
    def lines(self) -> tuple[str, ...]:
        """The message as it is to be shown: one line, or several where there are several faults."""
        return (str(self),)
