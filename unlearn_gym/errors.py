"""The one exception that command lines print as a sentence instead of a traceback."""

import re


class UserError(ValueError):
    """Bad input from the user: the message says what was given, what is allowed and what to do.

    It is one line, whatever is shown in it: the representation of an array may have several.
    """

    def __init__(self, message: str = "") -> None:
        super().__init__(re.sub(r"\s*\n\s*", " ", message))
