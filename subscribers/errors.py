"""The root of the error lattice, alone in its module so that a usage error need load no database library."""


class PaperroundError(Exception):
    """Something went wrong that Paperround can name.

    Every error a user may see descends from this class. Its text says what is wrong, where, and what
    to do; the command line prints it without a traceback.
    """

    def __init__(self, message: str | None = None) -> None:
        # A subclass raised without a message says what its docstring says.
        super().__init__(message or (self.__doc__ or "").partition("\n")[0])
