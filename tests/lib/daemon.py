"""A process of the tests: started, watched and ended by its own id."""

import os
import signal
import subprocess
from pathlib import Path

from lib.wait import PATIENCE_S, wait_until


class Daemon:
    def __init__(self, argv, log: Path, env=None):
        self.argv = [str(word) for word in argv]
        self.log = Path(log)
        self.env = env or {}
        self.process = None

    def spawn(self):
        # Should the tests be killed, what they started goes with them.
        argv = ["setpriv", "--pdeathsig", "KILL", *self.argv]
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, stdout=log,
                stderr=subprocess.STDOUT, env={**os.environ, **self.env})

    @property
    def pid(self):
        return self.process.pid

    def is_running(self):
        return self.process is not None and self.process.poll() is None

    def log_text(self):
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def wait_ready(self, is_ready, timeout=PATIENCE_S):
        def ready_or_dead():
            assert self.is_running(), \
                f"{self.argv[0]} ended with {self.process.returncode}:\n{self.log_text()[-4000:]}"
            return is_ready()
        wait_until(ready_or_dead, timeout, f"{self.argv[0]} to be ready")

    def signal(self, number):
        os.kill(self.pid, number)

    def wait_end(self, timeout=PATIENCE_S):
        """Until it ended by itself; its exit status."""
        return self.process.wait(timeout)

    def stop(self, timeout=PATIENCE_S):
        """Ends it with SIGTERM; its exit status, None if it never ran."""
        if self.process is None:
            return None
        if self.is_running():
            self.signal(signal.SIGTERM)
        try:
            return self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"{self.argv[0]} did not end on SIGTERM")

    def kill(self):
        if self.is_running():
            self.signal(signal.SIGKILL)
        self.wait_end()
