"""Waiting for what another process or thread will do: never by the clock.

A wait that ends well ends at once; its limit is for tests that fail, and for
machines with one busy core and a slow disk.
"""

import threading
import time

PATIENCE_S = 60
STEP_S = 0.02


def wait_until(predicate, timeout=PATIENCE_S, what="it"):
    """Returns PREDICATE's first true answer; fails after TIMEOUT seconds."""
    pause = threading.Event()
    give_up_at = time.monotonic() + timeout
    while True:
        answer = predicate()
        if answer:
            return answer
        if time.monotonic() > give_up_at:
            raise AssertionError(f"waited {timeout} s in vain for {what}")
        pause.wait(STEP_S)


class Gate:
    """Whoever comes to it waits until it is opened."""

    def __init__(self):
        self._open = threading.Event()
        self._arrived = threading.Semaphore(0)

    def pass_through(self):
        self._arrived.release()
        self._open.wait()

    def wait_arrival(self, timeout=PATIENCE_S):
        assert self._arrived.acquire(timeout=timeout), "nobody came to the gate"

    def open(self):
        self._open.set()


def in_background(work, *args):
    """Runs WORK in a thread; join() gives its result or raises its error."""
    return _Background(work, args)


class _Background(threading.Thread):
    def __init__(self, work, args):
        super().__init__(daemon=True)
        self._work, self._args = work, args
        self._result, self._error = None, None
        self.start()

    def run(self):
        try:
            self._result = self._work(*self._args)
        except BaseException as error:  # handed to whoever joins
            self._error = error

    def join(self, timeout=2 * PATIENCE_S):
        super().join(timeout)
        assert not self.is_alive(), "still at work"
        if self._error:
            raise self._error
        return self._result
