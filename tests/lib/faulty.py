"""A registry that does what it is told, the wrong things too."""

import json
import re
import threading
from dataclasses import dataclass, field
from typing import Optional

from lib.images import OCI_INDEX, Content
from lib.server import HangUp, Reply, Server
from lib.wait import Gate

PIECE = 256 << 10
_RANGE = re.compile(r"^bytes=(\d+)-(\d*)$")
_TARGET = re.compile(r"^/v2/(.+)/(manifests|blobs|referrers)/([^/]+)$|^/v2/(.+)/tags/list$")


@dataclass
class Fault:
    """What happens to requests whose "METHOD target" PATTERN is found in."""

    pattern: str
    times: int = -1                  # how often; -1: always
    status: int = 0                  # answer only this
    body: bytes = b""                # with status
    fields: dict = field(default_factory=dict)   # added to any head; None removes
    before: Optional[Gate] = None    # wait here before the head
    pause_at: Optional[int] = None   # wait at this offset of the blob ...
    gate: Gate = field(default_factory=Gate)     # ... here
    cut_at: Optional[int] = None     # FIN at this offset
    is_reset: bool = False           # an RST instead
    wrong_at: Optional[int] = None   # this byte is another one
    length: Optional[int] = None     # what Content-Length says
    is_chunked: bool = False         # no length at all
    rate: int = 0                    # bytes a second
    redirect: str = ""               # to this server
    ignores_range: bool = False
    hangs_up: bool = False           # without any answer

    def takes(self, request):
        """One request at a time may ask: it is counted."""
        if self.times == 0 or not re.search(self.pattern, str(request)):
            return False
        self.times -= self.times > 0
        return True


NOTHING = Fault("")


class Faulty(Server):
    def __init__(self, certificate=None, send_buffer=0, guard=None, has_referrers=True,
                 page=0):
        super().__init__(certificate, send_buffer)
        self.repositories = {}
        self.faults = []
        self.guard = guard              # request -> Reply that refuses it, or None
        self.has_referrers = has_referrers
        self.page = page                # most tags in one answer; 0: any
        self._closing = threading.Event()
        self._choosing = threading.Lock()

    # ---- setting up ---------------------------------------------------------

    def load(self, repository, content):
        self.repositories.setdefault(repository, Content()).add(content)
        return content

    def when(self, pattern, **what):
        """A fault from now on; the newest that matches counts."""
        fault = Fault(pattern, **what)
        self.faults.insert(0, fault)
        return fault

    def heal(self):
        for fault in self.faults:
            fault.gate.open()
            if fault.before:
                fault.before.open()
        self.faults = []

    def stop(self):
        self._closing.set()
        super().stop()
        self.heal()

    def start(self):
        self._closing.clear()
        return super().start()

    # ---- counting -------------------------------------------------------------

    def requests(self, pattern="", status=None):
        return [request for request in list(self.seen)
                if re.search(pattern, str(request))
                and (status is None or request.status == status)]

    def count(self, pattern=""):
        return len(self.requests(pattern))

    def bytes(self, pattern=""):
        """Body bytes that went out."""
        return sum(request.sent for request in self.requests(pattern))

    def forget(self):
        self.seen.clear()

    # ---- answering ------------------------------------------------------------

    def answer(self, request, line):
        with self._choosing:
            fault = next((each for each in self.faults if each.takes(request)), NOTHING)
        if fault.before:
            fault.before.pass_through()
        if fault.hangs_up:
            raise HangUp
        reply = self._reply(request, fault)
        reply.fields = {**reply.fields, **fault.fields}
        if reply.status not in (200, 206) or request.method == "HEAD":
            if fault.length is not None and request.method == "HEAD":
                reply.fields["Content-Length"] = fault.length
            self.send_reply(request, line, reply)
        else:
            self._send_with(fault, request, line, reply)

    def _reply(self, request, fault):
        if fault.status:
            return Reply(fault.status, {}, fault.body)
        if fault.redirect:
            return Reply(307, {"Location": fault.redirect + request.target})
        refusal = self.guard and self.guard(request)
        return refusal or self._content(request, fault)

    def _content(self, request, fault):
        if request.path in ("/v2/", "/v2"):
            return Reply(200, {"Content-Type": "application/json"}, b"{}")
        found = _TARGET.match(request.path)
        if not found:
            return _error(404, "NOT_FOUND")
        repository = self.repositories.get(found[1] or found[4])
        if repository is None:
            return _error(404, "NAME_UNKNOWN")
        if found[4]:
            return self._tags(request, found[4], repository)
        what = {"manifests": self._manifest, "blobs": self._blob,
                "referrers": self._referrers}[found[2]]
        return what(request, fault, repository, found[3])

    def _manifest(self, request, fault, repository, reference):
        digest = repository.tags.get(reference, reference)
        if digest not in repository.manifests:
            return _error(404, "MANIFEST_UNKNOWN")
        media_type, data = repository.manifests[digest]
        return Reply(200, {"Content-Type": media_type, "Docker-Content-Digest": digest,
                           "ETag": f'"{digest}"'}, data)

    def _blob(self, request, fault, repository, digest):
        if digest not in repository.blobs:
            return _error(404, "BLOB_UNKNOWN")
        data = repository.blobs[digest]
        fields = {"Content-Type": "application/octet-stream", "ETag": f'"{digest}"',
                  "Docker-Content-Digest": digest}
        span = _RANGE.match(request["Range"] or "")
        etag = fault.fields.get("ETag", fields["ETag"])
        is_other = (request["If-Range"] or etag) != etag
        if not span or fault.ignores_range or is_other:
            return Reply(200, fields, data)
        first = int(span[1])
        last = min(int(span[2] or len(data) - 1), len(data) - 1)
        if first > last:
            return Reply(416, {"Content-Range": f"bytes */{len(data)}"})
        fields["Content-Range"] = f"bytes {first}-{last}/{len(data)}"
        return Reply(206, fields, data[first:last + 1])

    def _referrers(self, request, fault, repository, digest):
        if not self.has_referrers:
            return Reply(404, {"Content-Type": "text/plain"}, b"404 page not found\n")
        rows = repository.referrers(digest)
        kind = request.query.get("artifactType")
        fields = {"Content-Type": OCI_INDEX}
        if kind:
            rows = [row for row in rows if row["artifactType"] == kind]
            fields["OCI-Filters-Applied"] = "artifactType"
        return Reply(200, fields, json.dumps(
            {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": rows}).encode())

    def _tags(self, request, name, repository):
        tags = sorted(repository.tags)
        last = request.query.get("last", "")
        tags = [tag for tag in tags if tag > last]
        most = int(request.query.get("n", self.page or len(tags)))
        most = min(most, self.page) if self.page else most
        fields = {"Content-Type": "application/json"}
        if len(tags) > most > 0:
            fields["Link"] = f'</v2/{name}/tags/list?n={most}&last={tags[most - 1]}>; rel="next"'
        return Reply(200, fields, json.dumps({"name": name, "tags": tags[:most]}).encode())

    # ---- sending, with what is wrong -------------------------------------------

    def _send_with(self, fault, request, line, reply):
        start = _first_byte(reply)
        body = _spoilt(reply.body, start, fault.wrong_at)
        request.status = reply.status
        line.send_head(reply.status, {**_framing(fault, body), **reply.fields})
        stops = sorted(at for at in (fault.pause_at, fault.cut_at)
                       if at is not None and start <= at <= start + len(body))
        for stop in [*stops, start + len(body)]:
            self._send_span(fault, request, line, body, start, stop)
            if stop == fault.pause_at:
                fault.gate.pass_through()
            if stop == fault.cut_at:
                if fault.is_reset:
                    line.reset()
                raise HangUp
        if fault.is_chunked:
            line.send(b"0\r\n\r\n")
        if fault.length is not None:
            raise HangUp

    def _send_span(self, fault, request, line, body, start, stop):
        """From what is sent already up to the offset STOP."""
        while start + request.sent < min(stop, start + len(body)):
            most = PIECE if not fault.rate else max(1, fault.rate // 50)
            most = min(most, stop - start - request.sent)
            piece = body[request.sent:request.sent + most]
            with request.sending(len(piece)):
                line.send(b"%x\r\n%b\r\n" % (len(piece), piece)
                          if fault.is_chunked else piece)
            if fault.rate:
                self._closing.wait(0.02)


def _first_byte(reply):
    span = reply.fields.get("Content-Range", "bytes 0-")
    return int(re.match(r"bytes (\d+)-", span)[1])


def _spoilt(body, start, wrong_at):
    if wrong_at is None or not start <= wrong_at < start + len(body):
        return body
    spoilt = bytearray(body)
    spoilt[wrong_at - start] ^= 0xff
    return bytes(spoilt)


def _framing(fault, body):
    if fault.is_chunked:
        return {"Transfer-Encoding": "chunked"}
    return {"Content-Length": len(body) if fault.length is None else fault.length}


def _error(status, code):
    return Reply(status, {"Content-Type": "application/json"}, json.dumps(
        {"errors": [{"code": code, "message": code.lower(), "detail": None}]}).encode())


def refusing(status, **fields):
    """A guard that answers everything with STATUS."""
    return lambda request: Reply(status, fields)
