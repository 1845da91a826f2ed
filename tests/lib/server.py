"""A plain HTTP/1.1 server on sockets, a thread a connection.

Servers that answer for the tests derive from it: whatever is sent is counted,
and a connection can be ended in every way that a network knows.
"""

import socket
import ssl
import struct
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import parse_qs, unquote, urlsplit

from lib.ports import free_port

REASONS = {200: "OK", 206: "Partial Content", 307: "Temporary Redirect", 404: "Not Found"}


@dataclass
class Request:
    method: str
    target: str
    fields: list
    body: bytes = b""
    status: int = 0      # what was answered
    sent: int = 0        # bytes of the body that went out
    port: int = 0        # of the client
    is_done: bool = False

    def __getitem__(self, name):
        return next((value for key, value in self.fields
                     if key.lower() == name.lower()), None)

    @property
    def path(self):
        return unquote(urlsplit(self.target).path)

    @property
    def query(self):
        query = parse_qs(urlsplit(self.target).query, keep_blank_values=True)
        return {key: values[0] for key, values in query.items()}

    def __str__(self):
        return f"{self.method} {self.target}"

    @contextmanager
    def sending(self, count):
        """Counted before they go out: whoever has them may look at once."""
        self.sent += count
        try:
            yield
        except HangUp:
            self.sent -= count
            raise


@dataclass
class Reply:
    status: int = 200
    fields: dict = field(default_factory=dict)
    body: bytes = b""


class HangUp(Exception):
    """Ends the connection here."""


class Line:
    """The server's end of one connection."""

    def __init__(self, sock):
        self.socket = sock
        self.buffer = b""

    def read_request(self):
        while b"\r\n\r\n" not in self.buffer:
            if not self._receive():
                return None
        raw, _, self.buffer = self.buffer.partition(b"\r\n\r\n")
        first, *lines = raw.decode("latin-1").split("\r\n")
        method, target, _ = first.split(" ", 2)
        fields = [tuple(part.strip() for part in line.split(":", 1)) for line in lines]
        request = Request(method, target, fields)
        length = int(request["Content-Length"] or 0)
        while len(self.buffer) < length:
            if not self._receive():
                return None
        request.body, self.buffer = self.buffer[:length], self.buffer[length:]
        return request

    def _receive(self):
        try:
            piece = self.socket.recv(1 << 16)
        except OSError:
            return False
        self.buffer += piece
        return bool(piece)

    def send(self, raw):
        try:
            self.socket.sendall(raw)
        except OSError:
            raise HangUp

    def send_head(self, status, fields):
        lines = [f"HTTP/1.1 {status} {REASONS.get(status, 'So')}"]
        lines += [f"{name}: {value}" for name, value in fields.items() if value is not None]
        self.send(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1"))

    def reset(self):
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        raise HangUp


class Server:
    host = "127.0.0.1"      # where it listens; before start()

    def __init__(self, certificate=None, send_buffer=0):
        self.port = free_port()
        self.certificate = certificate
        self.send_buffer = send_buffer
        self.seen = []          # every request, in order
        self.connections = 0
        self._lines = set()
        self._lock = threading.Lock()
        self._listener = None

    @property
    def url(self):
        return f"{'https' if self.certificate else 'http'}://{self.host}:{self.port}"

    @property
    def authority(self):
        return f"{self.host}:{self.port}"

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()

    def start(self):
        self._listener = socket.create_server((self.host, self.port), backlog=1024)
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()
        return self

    def stop(self):
        """Refuses from now on, and cuts who is connected."""
        if self._listener is None:
            return
        try:
            self._listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self._listener.close()
        self._listener = None
        self.hang_up_all()

    def hang_up_all(self):
        with self._lock:
            lines = list(self._lines)
        for line in lines:
            try:
                line.socket.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def _accept(self, listener):
        while True:
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock):
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self.send_buffer:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, self.send_buffer)
            line = Line(self._secured(sock))
        except OSError:
            sock.close()
            return
        with self._lock:
            self._lines.add(line)
        try:
            self._converse(line)
        except HangUp:
            pass
        finally:
            with self._lock:
                self._lines.discard(line)
            line.socket.close()

    def _secured(self, sock):
        if not self.certificate:
            return sock
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate.crt, self.certificate.key)
        return context.wrap_socket(sock, server_side=True)

    def _converse(self, line):
        while request := line.read_request():
            try:
                request.port = line.socket.getpeername()[1]
            except OSError:
                return
            self.seen.append(request)
            try:
                self.answer(request, line)
            finally:
                request.is_done = True
            if (request["Connection"] or "").lower() == "close":
                return

    def answer(self, request, line):
        raise NotImplementedError

    def send_reply(self, request, line, reply):
        request.status = reply.status
        line.send_head(reply.status, {"Content-Length": len(reply.body), **reply.fields})
        if request.method != "HEAD":
            with request.sending(len(reply.body)):
                line.send(reply.body)
