"""HTTP/1.1 as it is on the wire: what came, and how it ended."""

import json
import socket
import ssl
import struct

from lib.wait import PATIENCE_S

WHOLE, FIN, RESET = "whole", "fin", "reset"


class Answer:
    """A reply's head, and what has come of its body."""

    def __init__(self, head: bytes, has_no_body=False):
        lines = head.decode("latin-1").split("\r\n")
        version, status, *reason = lines[0].split(" ", 2)
        assert version in ("HTTP/1.1", "HTTP/1.0"), lines[0]
        self.status = int(status)
        self.fields = [tuple(part.strip() for part in line.split(":", 1))
                       for line in lines[1:] if line]
        self.has_no_body = has_no_body or self.status in (204, 304) or self.status < 200
        self.body = b""
        self.ended = None

    def __getitem__(self, name):
        return next((value for key, value in self.fields
                     if key.lower() == name.lower()), None)

    def all(self, name):
        return [value for key, value in self.fields if key.lower() == name.lower()]

    @property
    def length(self):
        text = self["Content-Length"]
        return None if text is None else int(text)

    @property
    def is_chunked(self):
        return "chunked" in (self["Transfer-Encoding"] or "").lower()

    def json(self):
        return json.loads(self.body)

    def error_code(self):
        """The code of the specification's error body."""
        assert self["Content-Type"].startswith("application/json"), self.fields
        errors = self.json()["errors"]
        assert errors and errors[0]["message"]
        return errors[0]["code"]

    def __repr__(self):
        return f"<{self.status} {self.fields} {self.body[:200]!r} {self.ended}>"


class Wire:
    """One connection to a server."""

    def __init__(self, port, host="127.0.0.1", tls=None, timeout=PATIENCE_S, receive_buffer=0):
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.socket = socket.socket(family, socket.SOCK_STREAM)
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(timeout)
        self.socket.connect((host, port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.host = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        if tls:
            self.socket = tls.wrap_socket(self.socket, server_hostname=host,
                                          suppress_ragged_eofs=False)
        self.buffer = b""
        self.end = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def reset(self):
        """Goes away as a client that has crashed: with an RST."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def send(self, raw: bytes):
        self.socket.sendall(raw)

    def request(self, target, method="GET", fields=None):
        fields = {"Host": self.host, **(fields or {})}
        if isinstance(target, str):
            target = target.encode()
        lines = [method.encode() + b" " + target + b" HTTP/1.1"]
        lines += [f"{name}: {value}".encode("latin-1")
                  for name, value in fields.items() if value is not None]
        self.send(b"\r\n".join(lines) + b"\r\n\r\n")

    def head(self, is_head=False):
        """The next reply's head; interim ones (1xx) are passed over."""
        while True:
            raw = self._until(b"\r\n\r\n")
            answer = Answer(raw, has_no_body=is_head)
            if answer.status >= 200:
                return answer

    def interim(self):
        """The status of whatever head comes next, 1xx too."""
        return Answer(self._until(b"\r\n\r\n")).status

    def body(self, answer, stop_at=None):
        """Reads on; up to STOP_AT bytes of the body when given."""
        if answer.has_no_body:
            answer.ended = WHOLE
        elif answer.is_chunked:
            self._chunks(answer)
        elif answer.length is not None:
            self._counted(answer, stop_at)
        else:
            self._to_the_end(answer)
        return answer

    def ask(self, target, method="GET", fields=None):
        self.request(target, method, fields)
        return self.body(self.head(is_head=method == "HEAD"))

    def is_closed_by_peer(self, timeout=PATIENCE_S):
        """Waits for the end of the connection: FIN or RESET."""
        self.socket.settimeout(timeout)
        while self._receive():
            pass
        return self.end

    def _receive(self, most=1 << 18):
        if self.end:
            return b""
        try:
            piece = self.socket.recv(most)
        except (ConnectionResetError, BrokenPipeError):
            piece, self.end = b"", RESET
        except ssl.SSLEOFError:
            piece, self.end = b"", FIN
        if not piece and not self.end:
            self.end = FIN
        return piece

    def _until(self, mark):
        while mark not in self.buffer:
            piece = self._receive()
            if not piece:
                raise ConnectionError(f"{self.end} before a whole head: {self.buffer!r}")
            self.buffer += piece
        raw, _, self.buffer = self.buffer.partition(mark)
        return raw

    def _counted(self, answer, stop_at):
        goal = answer.length if stop_at is None else min(stop_at, answer.length)
        parts = [answer.body, self.buffer]
        have = len(answer.body) + len(self.buffer)
        while have < goal:
            piece = self._receive()
            if not piece:
                break
            parts.append(piece)
            have += len(piece)
        got = b"".join(parts)
        answer.body, self.buffer = got[:goal], got[goal:]
        if have >= answer.length and goal == answer.length:
            answer.ended = WHOLE
        elif have < goal:
            answer.ended = self.end

    def _chunks(self, answer):
        while True:
            size = int(self._until(b"\r\n").split(b";")[0], 16)
            while len(self.buffer) < size + 2:
                piece = self._receive()
                if not piece:
                    answer.ended = self.end
                    return
                self.buffer += piece
            answer.body += self.buffer[:size]
            self.buffer = self.buffer[size + 2:]
            if size == 0:
                answer.ended = WHOLE
                return

    def _to_the_end(self, answer):
        parts = [self.buffer]
        while piece := self._receive():
            parts.append(piece)
        answer.body, answer.ended, self.buffer = b"".join(parts), self.end, b""


def ask(port, target, method="GET", fields=None, **wire):
    """One request on a connection of its own."""
    with Wire(port, **wire) as connection:
        return connection.ask(target, method, {"Connection": "close", **(fields or {})})


def trusting(authority, client=None):
    """A TLS client context that trusts AUTHORITY and shows CLIENT's certificate."""
    context = ssl.create_default_context(cafile=str(authority.ca.crt))
    if client:
        context.load_cert_chain(client.crt, client.key)
    return context
