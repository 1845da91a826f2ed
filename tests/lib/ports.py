"""Free ports on the loopback, outside the range of outgoing connections."""

import itertools
import os
import socket

FIRST, LAST = 12000, 32000
_next = itertools.count(FIRST + (os.getpid() * 97) % (LAST - FIRST))


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
        port = FIRST + (next(_next) - FIRST) % (LAST - FIRST)
        if is_free(port):
            return port


def raise_file_limit():
    """Thousands of sockets need more than the usual 1,024 descriptors."""
    import resource
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard
