"""The one exception that users are meant to read."""


class RASNetError(Exception):
    """Something the user can mend.

    The message is one sentence that says what is wrong and what to do about it. The command line prints
    it alone and exits with code 2; programs may show it as it is.
    """
