"""Thousands of clients in one loop: they read, count and throw away."""

import select
import socket
import struct
import time

_BUFFER = bytearray(1 << 20)


class Sink:
    """One client: its request, and how far its reply has come."""

    def __init__(self, port, host="127.0.0.1"):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self.socket.connect((host, port))
        self.socket.setblocking(False)
        self.head = b""
        self.status = 0
        self.length = None
        self.received = 0       # of the body
        self.end = None         # "whole", "fin", "reset"

    def read(self):
        try:
            if self.status:
                self._read_body()
            else:
                self._read_head()
        except BlockingIOError:
            pass
        except OSError:
            self.end = "reset"

    def _read_head(self):
        piece = self.socket.recv(4096)
        if not piece:
            self.end = "fin"
        self.head += piece
        head, mark, rest = self.head.partition(b"\r\n\r\n")
        if not mark:
            return
        lines = head.decode("latin-1").lower().split("\r\n")
        self.status = int(lines[0].split()[1])
        self.length = next(int(line.split(":")[1]) for line in lines
                           if line.startswith("content-length:"))
        self._count(len(rest))

    def _read_body(self):
        count = self.socket.recv_into(_BUFFER, 0, socket.MSG_TRUNC)
        if count == 0:
            self.end = "fin"
        self._count(count)

    def _count(self, count):
        self.received += count
        if self.received >= self.length:
            self.end = "whole"


class Crowd:
    """Many sinks; pump() until something is true of them."""

    def __init__(self):
        self.sinks = []
        self._epoll = select.epoll()
        self._by_fd = {}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for sink in self.sinks:
            sink.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            sink.socket.close()
        self._epoll.close()

    def join(self, count, port, raw=b""):
        """COUNT more clients that each send RAW."""
        fresh = [Sink(port) for _ in range(count)]
        for sink in fresh:
            if raw:
                sink.socket.send(raw)
            self._epoll.register(sink.socket.fileno(), select.EPOLLIN)
            self._by_fd[sink.socket.fileno()] = sink
        self.sinks += fresh
        return fresh

    def pump(self, until, timeout=120):
        """Reads whatever comes until UNTIL() holds."""
        give_up_at = time.monotonic() + timeout
        while not until():
            assert time.monotonic() < give_up_at, self.summary()
            for fd, _ in self._epoll.poll(0.05):
                sink = self._by_fd[fd]
                sink.read()
                if sink.end:
                    self._epoll.unregister(fd)
                    del self._by_fd[fd]

    def ended(self, how=None):
        return sum(1 for sink in self.sinks if sink.end and how in (None, sink.end))

    def summary(self):
        return (f"{len(self.sinks)} sinks, {self.ended()} ended, "
                f"{self.ended('whole')} whole, least {min(s.received for s in self.sinks)}")


def get(target, host="127.0.0.1", **fields):
    """A request as bytes."""
    lines = [f"GET {target} HTTP/1.1", f"Host: {host}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in fields.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()
