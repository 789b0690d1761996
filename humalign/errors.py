"""Errors that a person can act on: one line that says what, where and how to mend it."""


class HumalignError(Exception):
    """Work that failed although its input was sound (exit code 1)."""

    exit_code = 1


class InputError(HumalignError, ValueError):
    """Input that cannot be used (exit code 2).

    Parameters
    ----------
    problem : str
        What is wrong, in a few words.
    where : str or path, optional
        The file, column or argument it was found in.
    remedy : str, optional
        What the reader can do about it.
    """

    exit_code = 2

    def __init__(self, problem, where=None, remedy=None):
        self.problem, self.where, self.remedy = str(problem), where, remedy
        head = f"{where}: {problem}" if where is not None else str(problem)
        super().__init__(" ".join(f"{head}{'; ' + remedy if remedy else ''}".split()))


class MissingData(InputError):
    """A data set, model or network that is not on this machine (exit code 2)."""
