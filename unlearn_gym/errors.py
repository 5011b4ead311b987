"""The one exception that command lines print as a sentence instead of a traceback."""


class UserError(ValueError):
    """Bad input from the user: the message says what was given, what is allowed and what to do."""
