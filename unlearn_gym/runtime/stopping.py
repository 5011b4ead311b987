"""SIGINT and SIGTERM as one exception, so that a command line ends in order and says how to go on."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Stopped(KeyboardInterrupt):
    """A signal asked this process to end.

    Attributes:
        number: the signal.
        hint: how to go on, if whoever was stopped knows; part of the last sentence.
    """

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number, self.hint = number, ""


@contextlib.contextmanager
def stopped_by_signals() -> Iterator[None]:
    """Raise ``Stopped`` in the body at the first signal; a second one ends the process at once.

    A signal that is ignored, as in a background job of a shell script, stays ignored. Outside the main thread,
    which alone hears signals, nothing is changed.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in SIGNALS}
    heard = [number for number, handler in before.items() if handler is not signal.SIG_IGN]

    def stop(number: int, frame: FrameType | None) -> None:
        for each in heard:
            signal.signal(each, signal.SIG_DFL)
        raise Stopped(number)

    try:
        for number in heard:
            signal.signal(number, stop)
        yield
    finally:
        for number in heard:
            signal.signal(number, before[number])


def may_be_a_signal(error: BaseException) -> bool:
    """Tell whether a signal may have raised ``error``; a plain ``KeyboardInterrupt`` may also be code's own."""
    if isinstance(error, Stopped):
        return True
    return (
        isinstance(error, KeyboardInterrupt) and signal.getsignal(signal.SIGINT) is signal.default_int_handler
    )
