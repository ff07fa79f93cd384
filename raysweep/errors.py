"""The exceptions for mistakes of the user, reported on one line with exit code 2."""

INPUT_ERROR_CODE = 2
"""Of a command that ends by an `InputError`."""


class InputError(ValueError):
    """A setting, file or path given by the user is wrong.

    The message is one line that names the place (file and key, or path), the offending value and
    the remedy. Entry points print it without a traceback and exit with code 2.

    Attributes:
        problem: the part of the message that tells it.
    """

    def __init__(self, place: str, problem: str, remedy: str) -> None:
        super().__init__(f"{place}: {problem}; {remedy}")
        self.problem = problem


class MissingDataError(InputError):
    """Data is not where it was looked for, as opposed to there and wrong."""
