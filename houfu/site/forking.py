"""Processes forked from one that has loaded everything: they start at once, and share what was loaded."""

import ctypes
import gc
import logging
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from contextlib import suppress
from subprocess import TimeoutExpired

_BEAT = 0.02  # seconds between two looks at a process that is waited for
_ENDS = (signal.SIGINT, signal.SIGTERM)
_PDEATHSIG, _NAME = 1, 15  # of prctl


class Forked:
    """A process that was forked from this one; it is looked after as a `subprocess.Popen` is.

    This process must have one thread, and nothing open but what may be closed behind it in the other.

    Args:
        name: as the machine's list of processes has it.
        run: what it does; it ends when that returns, or with the code of its SystemExit.
    """

    returncode: int | None = None

    def __init__(self, name: str, run: Callable[[], None]) -> None:
        parent = os.getpid()
        gc.freeze()  # what is here already is not looked at again in the other, and so stays shared
        before = signal.pthread_sigmask(signal.SIG_BLOCK, _ENDS)  # or the other would take its end for ours
        self.pid = os.fork()
        if self.pid == 0:
            _be(name, run, parent, before)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def poll(self) -> int | None:
        """Return the exit code, minus the signal where one ended it; None while it runs."""
        if self.returncode is None:
            found, status = os.waitpid(self.pid, os.WNOHANG)
            if found:
                self.returncode = os.waitstatus_to_exitcode(status)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait until it has ended.

        Raises:
            TimeoutExpired: it has not, after so many seconds.
        """
        left = timeout
        while (code := self.poll()) is None:
            if left is not None and left <= 0:
                raise TimeoutExpired(str(self.pid), timeout or 0)
            threading.Event().wait(_BEAT)
            left = None if left is None else left - _BEAT
        return code

    def terminate(self) -> None:
        """Ask it to end."""
        self._tell(signal.SIGTERM)

    def kill(self) -> None:
        """End it."""
        self._tell(signal.SIGKILL)

    def _tell(self, number: signal.Signals) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)


def _be(name: str, run: Callable[[], None], parent: int, mask: set[int | signal.Signals]) -> None:
    """Be the other process, and never return: what it has of this one's stack is not this one's to unwind."""
    code = 1
    try:
        for number in _ENDS:
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        _follow(name, parent)
        for fd in map(int, os.listdir("/dev/fd")):
            if fd > 2:
                with suppress(OSError):  # the listing's own is closed already
                    os.close(fd)  # sockets, and the lock of the data folder
        nothing = os.open(os.devnull, os.O_RDWR)
        for taken in (0, 1):
            os.dup2(nothing, taken)
        run()
        code = 0
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except BaseException:
        traceback.print_exc()
    finally:
        logging.shutdown()
        sys.stderr.flush()
        os._exit(code)


def _follow(name: str, parent: int) -> None:
    """Have the kernel end this process should the other vanish, and list it under its name."""
    if sys.platform != "linux":
        return
    kernel = ctypes.CDLL(None)
    kernel.prctl(_PDEATHSIG, signal.SIGTERM)
    kernel.prctl(_NAME, f"houfu-{name}".encode())
    if os.getppid() != parent:
        os._exit(1)  # it vanished before the kernel knew
