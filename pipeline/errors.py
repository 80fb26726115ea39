"""The base of every error that this project raises on purpose."""


class PipelineError(Exception):
    """Something that the message explains: what was wrong, where, and what to do.

    Parameters
    ----------
    then : str
        The command to type next, without the program's name. Whoever shows the error adds the
        options that say where it is to work.
    """

    def __init__(self, *said: object, then: str = "") -> None:
        super().__init__(*said)
        self.then = then

    def __str__(self) -> str:
        """Return the message, with the command."""
        said = super().__str__()
        if "'" in self.then:  # it ends the line, so that it is taken as a whole
            return f"{said}; run: mozdef-ef {self.then}"
        return f"{said}; run 'mozdef-ef {self.then}'" if self.then else said

    @property
    def lines(self) -> tuple[str, ...]:
        """The message as it is to be shown: one line, or several where there are several faults."""
        return (str(self),)
