"""What nobody has put into words: one sentence for the user, and a file with the traceback for whoever mends it."""

from __future__ import annotations

import traceback
from pathlib import Path

from unlearn_gym.errors import UserError
from unlearn_gym.storage.files import write_text


def logged(error: BaseException, what: str, log: Path) -> UserError:
    """Write the traceback of ``error`` and return the sentence that names it, to be raised in its place.

    Args:
        error: what was raised.
        what: what failed, as the sentence begins.
        log: file that is written; its folder is made.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    write_text(log, "".join(traceback.format_exception(error)))
    said = " ".join(str(error).split())
    return UserError(f"{what} failed ({type(error).__name__}: {said}); its traceback is in {log}.")
