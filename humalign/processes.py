"""Child processes that never outlive their parent, and signals that wait for a good moment."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import connection

from .errors import HumalignError

STOPS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM"))


class Terminated(KeyboardInterrupt):
    """SIGTERM, raised where Ctrl-C would be, so that the same is cleared up and kept."""


@contextlib.contextmanager
def terminable():
    """Within the block SIGTERM raises :class:`Terminated`, in the main thread and where nobody else handles it."""

    def stop(*_):
        raise Terminated

    alone = threading.current_thread() is threading.main_thread()
    if not alone or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        yield
        return
    signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


@contextlib.contextmanager
def patient():
    """Within the block Ctrl-C and SIGTERM wait: gives a function that raises them once they came.

    For loops whose step must be whole: call it between two steps.
    """
    came: list[int] = []

    def check():
        if came:
            raise Terminated if came[0] == signal.SIGTERM else KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield check
        return
    before = {number: signal.signal(number, lambda number, _: came.append(number)) for number in STOPS}
    try:
        yield check
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def leave_with_parent() -> None:
    """In a child process: end as soon as the parent is gone, however it ended."""
    parent = multiprocessing.parent_process()

    def wait(sentinel):
        connection.wait([sentinel])
        os._exit(1)

    if parent is not None:
        threading.Thread(target=wait, args=(parent.sentinel,), daemon=True, name="leave-with-parent").start()


def pool(workers: int) -> ProcessPoolExecutor:
    """A pool of processes that end with this one."""
    return ProcessPoolExecutor(workers, initializer=leave_with_parent)


def _work(pipe, function, args) -> None:
    """In the child: send (True, result) or (False, error)."""
    leave_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to the whole group: the parent decides
    try:
        told = True, function(*args)
    except HumalignError as error:
        told = False, error
    except BaseException as error:
        told = False, HumalignError(f"{type(error).__name__}: {error}")
    pipe.send(told)


class OwnProcesses:
    """An executor that gives each call a process of its own: one that is killed takes no other with it.

    Parameters
    ----------
    workers : int
        Processes at a time.
    """

    def __init__(self, workers: int):
        self._threads, self._stopped = ThreadPoolExecutor(workers), False
        self._running: set = set()
        self._context = multiprocessing.get_context("spawn")

    def submit(self, function, *args) -> Future:
        """Call ``function(*args)`` in a new process; HumalignError when the process was ended from outside."""
        return self._threads.submit(self._alone, function, args)

    def _alone(self, function, args):
        here, there = self._context.Pipe(duplex=False)
        process = self._context.Process(target=_work, args=(there, function, args))
        self._running.add(process)
        try:
            if self._stopped:
                raise HumalignError("was stopped")
            process.start()
            there.close()
            try:
                well, value = here.recv()
            except EOFError:
                process.join()
                raise HumalignError(
                    f"its process was ended from outside ({_cause(process.exitcode)}); run it again to go on"
                ) from None
            process.join()
        finally:
            self._running.discard(process)
            here.close()
        if not well:
            raise value
        return value

    def stop(self) -> None:
        """End everything that runs, begin nothing more."""
        self._stopped = True
        for process in list(self._running):
            with contextlib.suppress(AttributeError, ValueError):  # not started yet
                process.terminate()

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if kind is not None:
            self.stop()
        self._threads.shutdown(wait=True, cancel_futures=kind is not None)


def _cause(code: int | None) -> str:
    if code is None or code >= 0:
        return f"exit code {code}"
    with contextlib.suppress(ValueError):
        name = signal.Signals(-code).name
        return f"{name}: perhaps memory ran out" if name == "SIGKILL" else name
    return f"signal {-code}"
