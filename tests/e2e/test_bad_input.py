"""What nobody should send: the right error, and the next request is right."""

import re
import ssl

import pytest

from lib import images
from lib.wire import FIN, ask

HEX = "0" * 64
GOOD = f"sha256:{HEX}"


@pytest.fixture(scope="module", autouse=True)
def small(upstream):
    return upstream.load("lib/small", images.image(size=64, tag="1.0"))


def check_refusal(mirror, raw_target, method, status, codes):
    """The answer is STATUS with one of CODES; the connection is still right."""
    with mirror.wire() as wire:
        answer = wire.ask(raw_target, method)
        assert answer.status == status, answer
        assert answer.ended == "whole"
        if method != "HEAD":
            assert answer.error_code() in codes, answer
        after = wire.ask("/v2/lib/small/manifests/1.0")
        assert after.status == 200
        assert after["Content-Type"] == images.OCI_MANIFEST


BAD_NAMES = [
    "UPPER", "lib/Small", "lib/small.", ".lib/small", "-lib", "lib-", "lib..small",
    "lib___small", "lib._small", "lib/", "/lib", "lib//small", "lib/../small", "..",
    "../../etc/passwd", "lib/./small", "lib%20small", "lib%00small", "lib%0d%0asmall",
    "%2e%2e/small", "lib%2f..%2fsmall", "l%C3%ADb", "lib%zz", "lib%", "lib%2", "lib:5000/small",
    "lib@small", "a" * 256, "a/" * 200 + "a", "lib\x7f", "lib~small", "lib;small", "_lib",
]


@pytest.mark.parametrize("tail", ["manifests/1.0", f"manifests/{GOOD}", f"blobs/{GOOD}",
                                  "tags/list", f"referrers/{GOOD}"],
                         ids=["tag", "manifest", "blob", "tags", "referrers"])
@pytest.mark.parametrize("name", BAD_NAMES, ids=[repr(name)[:30] for name in BAD_NAMES])
def test_bad_name(mirror, name, tail):
    if "\x7f" in name:
        with mirror.wire() as wire:
            wire.request(f"/v2/{name}/{tail}".encode("latin-1"))
            assert wire.head().status == 400
    else:
        check_refusal(mirror, f"/v2/{name}/{tail}", "GET", 400, {"NAME_INVALID"})


BAD_DIGESTS = [
    "sha256:", "sha256:abc", "sha256:" + "0" * 63, "sha256:" + "0" * 65, "sha256:" + "g" * 64,
    "sha256:" + "A" * 64, "sha512:" + "0" * 64, "sha512:" + "0" * 127, "md5:" + "0" * 32,
    "SHA256:" + "0" * 64, "sha256:" + "0" * 62 + "%00", "sha256:" + "0" * 62 + "..",
    ":" + "0" * 64, "sha256::" + "0" * 63, "sha256+b64:" + "0" * 64, "sha256:" + "0" * 5000,
    "sha256%3A" + "0" * 10, "sha1:" + "0" * 40,
]


@pytest.mark.parametrize("kind", ["manifests", "blobs", "referrers"])
@pytest.mark.parametrize("digest", BAD_DIGESTS, ids=[text[:24] for text in BAD_DIGESTS])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_bad_digest(mirror, kind, digest, method):
    if kind == "referrers" and method == "HEAD":
        method = "GET"
    check_refusal(mirror, f"/v2/lib/small/{kind}/{digest}", method, 400, {"DIGEST_INVALID"})


@pytest.mark.parametrize("text", ["latest", "..", "%00", "abc%2Fdef", "0" * 64, "%"])
def test_blob_by_what_is_no_digest(mirror, text):
    check_refusal(mirror, f"/v2/lib/small/blobs/{text}", "GET", 400,
                  {"DIGEST_INVALID", "NAME_INVALID"})


BAD_TAGS = [".hidden", "-dash", "a" * 129, "a%20b", "a%00b", "%00", "a+b", "a@b", "a%2Fb",
            "%2e%2e", "a%", "a%zz", "t%C3%A4g", "a,b", "..", ".", "~"]


@pytest.mark.parametrize("tag", BAD_TAGS, ids=[tag[:20] for tag in BAD_TAGS])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_bad_tag(mirror, tag, method):
    check_refusal(mirror, f"/v2/lib/small/manifests/{tag}", method, 404, {"MANIFEST_UNKNOWN"})


def test_longest_tag_is_asked_for(mirror, upstream):
    check_refusal(mirror, f"/v2/lib/small/manifests/{'a' * 128}", "GET", 404,
                  {"MANIFEST_UNKNOWN"})
    assert upstream.count("a" * 128) >= 1


def test_bad_input_never_reaches_the_upstream(upstream):
    """Of all the names and digests above."""
    for request in upstream.seen:
        assert "%" not in request.target
        assert ".." not in request.target
        assert re.match(r"^/v2/[a-z0-9/._-]+/(manifests|blobs|tags|referrers)/", request.target)


UNKNOWN_PATHS = ["/", "/v1/", "/v3/", "/v2/lib", "/v2/lib/small", "/v2/lib/small/nope/1.0",
                 "/v2/lib/small/tags", "/v2/lib/small/tags/lists", "/v2/_catalog",
                 "/index.html", "/v2/lib/small/manifests/1.0/more", "//v2/", "/v2/blobs"]


@pytest.mark.parametrize("path", UNKNOWN_PATHS)
def test_unknown_path(mirror, path):
    with mirror.wire() as wire:
        answer = wire.ask(path)
        assert answer.status in (400, 404), answer
        assert answer.error_code()
        assert wire.ask("/v2/lib/small/manifests/1.0").status == 200


@pytest.mark.parametrize("ns", ["unknown.test", "%00", "../../etc", "registry.test.", "",
                                "http://registry.test", "registry.test/lib", "registry.test:99",
                                "127.0.0.1", "%zz", "a" * 3000, "[::1]", "registry.test%0d%0aX:y"])
def test_wrong_ns(mirror, ns):
    with mirror.wire() as wire:
        answer = wire.ask(f"/v2/lib/small/manifests/1.0?ns={ns}")
        if ns:
            assert answer.status in (400, 404), answer
            assert answer.error_code() in ("NAME_UNKNOWN", "NAME_INVALID", "BAD_REQUEST")
        assert answer["X"] is None
        assert wire.ask("/v2/lib/small/manifests/1.0").status == 200


@pytest.mark.parametrize("query", ["?", "?&&&", "?=", "?%", "?ns", "?a=b", "?" + "x=1&" * 1000,
                                   "?artifactType=%00", "?n=1&n=2"])
def test_odd_query_is_ignored(mirror, query):
    with mirror.wire() as wire:
        assert wire.ask(f"/v2/lib/small/manifests/1.0{query}").status in (200, 400)
        assert wire.ask("/v2/lib/small/manifests/1.0").status == 200


# ---- methods -------------------------------------------------------------------

PUSHES = [
    ("POST", "/v2/lib/small/blobs/uploads/"),
    ("POST", f"/v2/lib/small/blobs/uploads/?mount={GOOD}&from=lib/other"),
    ("PATCH", "/v2/lib/small/blobs/uploads/123"),
    ("PUT", f"/v2/lib/small/blobs/uploads/123?digest={GOOD}"),
    ("GET", "/v2/lib/small/blobs/uploads/123"),
    ("PUT", "/v2/lib/small/manifests/1.0"),
    ("DELETE", "/v2/lib/small/manifests/1.0"),
    ("DELETE", f"/v2/lib/small/manifests/{GOOD}"),
    ("DELETE", f"/v2/lib/small/blobs/{GOOD}"),
    ("POST", "/v2/lib/small/manifests/1.0"),
    ("PUT", f"/v2/lib/small/blobs/{GOOD}"),
    ("PATCH", "/v2/lib/small/tags/list"),
    ("POST", f"/v2/lib/small/referrers/{GOOD}"),
    ("POST", "/v2/"), ("DELETE", "/v2/"), ("OPTIONS", "/v2/"),
    ("OPTIONS", "/v2/lib/small/manifests/1.0"), ("TRACE", "/v2/"),
    ("PROPFIND", "/v2/lib/small/manifests/1.0"), ("get", "/v2/"),
]


@pytest.mark.parametrize("method, target", PUSHES)
def test_wrong_method(mirror, method, target):
    with mirror.wire() as wire:
        answer = wire.ask(target, method)
        assert answer.status == 405, answer
        assert answer.error_code() == "UNSUPPORTED"
        allowed = {word.strip() for word in answer["Allow"].split(",")}
        assert allowed <= {"GET", "HEAD"}
        assert wire.ask("/v2/lib/small/manifests/1.0").status == 200


@pytest.mark.parametrize("size", [0, 5, 1000, 100_000])
def test_body_of_a_refused_push(mirror, size):
    """It is read past, or the connection ends; it is never read as a request."""
    with mirror.wire() as wire:
        wire.request("/v2/lib/small/manifests/1.0", "PUT", {"Content-Length": size})
        wire.send(b"GET /v2/lib/small/tags/list HTTP/1.1\r\n\r\n".ljust(size, b"x")[:size])
        answer = wire.body(wire.head())
        assert answer.status in (405, 413)
        if (answer["Connection"] or "").lower() == "close":
            assert wire.is_closed_by_peer() == FIN
        else:
            assert wire.ask("/v2/lib/small/manifests/1.0").status == 200


def test_body_behind_the_refusal_of_a_last_request(mirror):
    """The connection ends, but not with an RST that takes the refusal away."""
    with mirror.wire() as wire:
        wire.request("/v2/lib/small/blobs/uploads/", "POST",
                     {"Content-Length": 10 << 20, "Connection": "close"})
        assert wire.body(wire.head()).status in (405, 413)
        for _ in range(8):
            wire.send(bytes(64 << 10))      # a reset connection takes no more
        assert wire.is_closed_by_peer() == FIN


def test_body_of_a_get(mirror):
    with mirror.wire() as wire:
        wire.request("/v2/lib/small/manifests/1.0", "GET", {"Content-Length": 5})
        wire.send(b"hello")
        answer = wire.body(wire.head())
        assert answer.status in (200, 400, 413)
        if (answer["Connection"] or "").lower() != "close":
            assert wire.ask("/v2/").status == 200


def test_chunked_body(mirror):
    with mirror.wire() as wire:
        wire.request("/v2/lib/small/manifests/1.0", "PUT", {"Transfer-Encoding": "chunked"})
        wire.send(b"5\r\nhello\r\n0\r\n\r\n")
        answer = wire.body(wire.head())
        assert answer.status in (405, 411, 413)
        if (answer["Connection"] or "").lower() != "close":
            assert wire.ask("/v2/").status == 200


def test_expect_100_continue(mirror):
    with mirror.wire() as wire:
        wire.request("/v2/lib/small/manifests/1.0", "PUT",
                     {"Content-Length": 10, "Expect": "100-continue"})
        interim = wire.interim()
        if interim == 100:
            wire.send(b"0123456789")
            interim = wire.body(wire.head()).status
        assert interim in (405, 413, 417)


# ---- heads that are none ---------------------------------------------------------

def line(name, value=""):
    return f"GET /v2/ HTTP/1.1\r\nHost: x\r\n{name}{value}\r\n\r\n".encode("latin-1")


BROKEN_HEADS = {
    "no-version": (b"GET /v2/\r\n\r\n", {400}),
    "three-spaces": (b"GET  /v2/  HTTP/1.1\r\nHost: x\r\n\r\n", {400}),
    "version-9": (b"GET /v2/ HTTP/9.9\r\nHost: x\r\n\r\n", {400, 505}),
    "version-2": (b"GET /v2/ HTTP/2.0\r\nHost: x\r\n\r\n", {400, 505}),
    "http-2-preface": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", {400, 405, 505}),
    "no-host": (b"GET /v2/ HTTP/1.1\r\n\r\n", {400}),
    "two-hosts": (line("Host: y"), {400}),
    "no-colon": (line("nonsense"), {400}),
    "space-before-colon": (line("X-Y : z"), {400}),
    "folded": (line("X-Y: a\r\n b"), {400}),
    "nul-in-value": (line("X-Y: a\0b"), {400}),
    "nul-in-target": (b"GET /v2/\0 HTTP/1.1\r\nHost: x\r\n\r\n", {400}),
    "control-in-name": (line("X\x01Y: z"), {400}),
    "empty-name": (line(": z"), {400}),
    "bare-cr": (line("X-Y: a\rb"), {400}),
    "length-negative": (line("Content-Length: -1"), {400}),
    "length-plus": (line("Content-Length: +1"), {400}),
    "length-word": (line("Content-Length: abc"), {400}),
    "length-list": (line("Content-Length: 1, 1"), {400}),
    "length-huge": (line("Content-Length: 99999999999999999999999"), {400, 413}),
    "two-lengths": (line("Content-Length: 1\r\nContent-Length: 2"), {400}),
    "length-and-chunked": (line("Content-Length: 1\r\nTransfer-Encoding: chunked"), {400}),
    "unknown-coding": (line("Transfer-Encoding: gzip"), {400, 501}),
    "coding-hidden": (line("Transfer-Encoding: chunked\r\nTransfer-Encoding: x"), {400, 501}),
    "target-too-long": (b"GET /" + b"a" * 20000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
                        {400, 414, 431}),
    "head-too-long": (line("X-Y: ", "a" * 20000), {431}),
    "many-lines": (line("\r\n".join(f"X-{n}: y" for n in range(3000))), {431}),
    "tls-hello": (bytes.fromhex("16030100c8010000c40303") + b"\x11" * 192, {400}),
    "tls-hello-short": (bytes.fromhex("160301"), {400}),
    "binary": (b"\xff\xfe\x00\x01\r\n\r\n", {400}),
    "no-target": (b"GET\r\n\r\n", {400}),
    "relative-target": (b"GET v2/ HTTP/1.1\r\nHost: x\r\n\r\n", {400}),
    "lf-only-smuggle": (b"GET /v2/ HTTP/1.1\nHost: x\nX: y\r\n\r\n", {200, 400}),
    "bad-chunk": (b"PUT /v2/lib/small/manifests/1.0 HTTP/1.1\r\nHost: x\r\n"
                  b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", {400, 405}),
}


@pytest.mark.parametrize("name", sorted(BROKEN_HEADS))
def test_broken_head(mirror, name):
    """Answered at once, then closed with a FIN; others are not harmed."""
    raw, statuses = BROKEN_HEADS[name]
    with mirror.wire() as neighbour, mirror.wire() as wire:
        wire.send(raw)
        answer = wire.body(wire.head())
        assert answer.status in statuses, answer
        assert answer.ended == "whole"
        if answer.status != 200 and answer.status != 405:
            assert wire.is_closed_by_peer() == FIN
        assert neighbour.ask("/v2/lib/small/manifests/1.0").status == 200


@pytest.mark.parametrize("name", ["no-colon", "nul-in-value", "two-hosts"])
def test_broken_head_is_answered_in_json(mirror, name):
    with mirror.wire() as wire:
        wire.send(BROKEN_HEADS[name][0])
        assert wire.body(wire.head()).error_code()


def test_broken_head_behind_a_good_one(mirror):
    with mirror.wire() as wire:
        wire.send(b"GET /v2/ HTTP/1.1\r\nHost: x\r\n\r\nnonsense\r\n\r\n")
        assert wire.body(wire.head()).status == 200
        assert wire.body(wire.head()).status == 400
        assert wire.is_closed_by_peer() == FIN


# ---- heads that are odd, but right --------------------------------------------------

ODD_HEADS = {
    "absolute-form": b"GET http://x/v2/ HTTP/1.1\r\nHost: y\r\n\r\n",
    "empty-line-before": b"\r\nGET /v2/ HTTP/1.1\r\nHost: x\r\n\r\n",
    "no-space-after-colon": b"GET /v2/ HTTP/1.1\r\nHost:x\r\nX-Y:z\r\n\r\n",
    "tabs": b"GET /v2/ HTTP/1.1\r\nHost:\tx\t\r\n\r\n",
    "case": b"GET /v2/ HTTP/1.1\r\nHOST: x\r\ncOnNeCtIoN: keep-alive\r\n\r\n",
    "empty-value": b"GET /v2/ HTTP/1.1\r\nHost: x\r\nX-Y:\r\n\r\n",
    "high-bytes": b"GET /v2/ HTTP/1.1\r\nHost: x\r\nX-Y: \xc3\xa9\r\n\r\n",
    "empty-host": b"GET /v2/ HTTP/1.1\r\nHost:\r\n\r\n",
}


@pytest.mark.parametrize("name", sorted(ODD_HEADS))
def test_odd_head(mirror, name):
    with mirror.wire() as wire:
        for _ in range(2):
            wire.send(ODD_HEADS[name])
            assert wire.body(wire.head()).status == 200


def test_http_1_0(mirror):
    with mirror.wire() as wire:
        wire.send(b"GET /v2/ HTTP/1.0\r\n\r\n")
        assert wire.body(wire.head()).status == 200
        assert wire.is_closed_by_peer() == FIN


def test_connection_close(mirror):
    with mirror.wire() as wire:
        answer = wire.ask("/v2/", fields={"Connection": "close"})
        assert answer.status == 200
        assert answer["Connection"] == "close"
        assert wire.is_closed_by_peer() == FIN


def test_byte_by_byte(mirror):
    with mirror.wire() as wire:
        for _ in range(2):
            for byte in b"GET /v2/lib/small/manifests/1.0 HTTP/1.1\r\nHost: x\r\n\r\n":
                wire.send(bytes([byte]))
            assert wire.body(wire.head()).status == 200


def test_pipelining(mirror, small):
    """Many requests in one write; the answers come in order."""
    targets = ["/v2/", "/v2/lib/small/manifests/1.0", "/v2/UPPER/tags/list",
               f"/v2/lib/small/blobs/{small.layers[0]}", "/v2/lib/small/tags/list",
               f"/v2/lib/small/blobs/{small.config}"] * 10
    with mirror.wire() as wire:
        wire.send(b"".join(f"GET {target} HTTP/1.1\r\nHost: x\r\n\r\n".encode()
                           for target in targets))
        for target in targets:
            answer = wire.body(wire.head())
            assert answer.status == (400 if "UPPER" in target else 200)
            assert answer["Docker-Content-Digest"] in (None, small.top, *small.blobs)
            if "blobs" in target:
                assert target.endswith(answer["Docker-Content-Digest"])


def test_pipelined_head_and_get(mirror, small):
    with mirror.wire() as wire:
        wire.request("/v2/lib/small/manifests/1.0", "HEAD")
        wire.request("/v2/lib/small/manifests/1.0", "GET")
        assert wire.body(wire.head(is_head=True)).body == b""
        assert wire.body(wire.head()).body == small.manifests[small.top][1]


def test_client_that_only_shuts_its_side(mirror):
    """A FIN behind the request: it is answered all the same."""
    import socket
    with mirror.wire() as wire:
        wire.request("/v2/lib/small/manifests/1.0")
        wire.socket.shutdown(socket.SHUT_WR)
        assert wire.body(wire.head()).ended == "whole"


def test_tls_client_at_a_plain_port_gets_its_answer_at_once(start):
    """Not when the time for its head is over."""
    mirror = start({}, limits={"head_timeout": "10m"})
    with pytest.raises(ssl.SSLError):
        ask(mirror.port, "/v2/", tls=ssl.create_default_context())


def test_peer_bytes_are_printable_in_the_log(mirror):
    mirror.get("/v2/lib/\x1b[31mred/manifests/1.0".encode("latin-1"))
    mirror.get("/v2/lib/%1b%5b31mred/manifests/1.0")
    assert "\x1b" not in mirror.log()
