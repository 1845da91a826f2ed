"""Free ports on the loopback, outside the range of outgoing connections.

Test runs beside each other keep apart: RAILHEAD_TEST_PORTS is the first of
SPAN ports that are theirs.
"""

import itertools
import os
import socket
from pathlib import Path

SPAN = 4000
FIRST = int(os.environ.get("RAILHEAD_TEST_PORTS") or 28000)
ESTABLISHED = "01"   # in /proc/net/tcp
_next = itertools.count()


def is_free(port):
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def free_port():
    while True:
        port = FIRST + next(_next) % SPAN
        if is_free(port):
            return port


def unread(port):
    """How many bytes wait to be read in each connection to PORT (IPv4)."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return [int(queues.split(":")[1], 16) for _, local, _, state, queues, *_ in rows
            if int(local.split(":")[1], 16) == port and state == ESTABLISHED]


def raise_file_limit():
    """Thousands of sockets need more than the usual 1,024 descriptors."""
    import resource
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard
