"""Free ports on the loopback, outside the range of outgoing connections.

Test runs beside each other keep apart: each has SPAN ports of its own, for as
long as it holds the lock on them.
"""

import contextlib
import fcntl
import functools
import itertools
import socket
import subprocess
import tempfile
from pathlib import Path

SPAN = 1000
BLOCKS = range(8000, 32000, SPAN)
_next = itertools.count()


def is_free(port):
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


@functools.cache
def _block():
    """The first port of a block that is ours, and the lock that says so."""
    for first in BLOCKS:
        with contextlib.suppress(OSError):
            lock = open(Path(tempfile.gettempdir()) / f"railhead-tests-{first}.lock", "a")
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return first, lock
    raise RuntimeError(f"{len(BLOCKS)} test runs have all the ports")


def free_port():
    while True:
        port = _block()[0] + next(_next) % SPAN
        if is_free(port):
            return port


def unread(port):
    """How many bytes wait to be read in each connection to PORT."""
    told = subprocess.run(["ss", "-Htn", "state", "established", f"sport = :{port}"],
                          text=True, capture_output=True, check=True)
    return [int(line.split()[0]) for line in told.stdout.splitlines()]


def raise_file_limit():
    """Thousands of sockets need more than the usual 1,024 descriptors."""
    import resource
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard
