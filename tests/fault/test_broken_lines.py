"""Lines to the upstream that are cut, stall or are not there at all."""

import contextlib
import socket
import threading

import pytest

from conftest import UPSTREAM
from lib import images
from lib.clients import Containerd, good, is_installed
from lib.faulty import Faulty
from lib.images import MIB
from lib.ports import free_port
from lib.railhead import Railhead, registry_at, run
from lib.wait import Gate, in_background, wait_until
from lib.wire import FIN, WHOLE, Wire, trusting

SIZE = 4 * MIB
# Longer than a busy machine keeps our own upstream from sending.
NO_PATIENCE = {"links": {"wan": {"stall": "3s"}}}


@pytest.fixture
def large(origin, new_blob):
    content = origin.load("lib/x", new_blob(SIZE))
    content.data = content.blobs[content.blob]
    content.target = f"/v2/lib/x/blobs/{content.blob}"
    content.pattern = f"GET .*{content.blob}"
    return content


def ask_all(mirror, *targets):
    """All at once: each answer comes before a client's own patience ends."""
    def ask(target):
        with Wire(mirror.port, timeout=29) as wire:
            return wire.ask(target)
    return [client.join() for client in [in_background(ask, each) for each in targets]]


def over_the_wan(url):
    return registry_at({"url": url, "link": "wan"})


# ---- cut: resumed by Range -------------------------------------------------------

@pytest.mark.threads
@pytest.mark.parametrize("how", ["fin", "reset"])
@pytest.mark.parametrize("at", [0, 1, MIB, SIZE - 1])
def test_cut_is_resumed(own, origin, large, how, at):
    """Readers notice nothing; hardly a byte crosses twice."""
    origin.when(large.pattern, times=1, cut_at=at, is_reset=how == "reset")
    clients = [in_background(own.get, large.target) for _ in range(5)]
    for client in clients:
        answer = client.join()
        assert (answer.ended, answer.body) == (WHOLE, large.data)
    assert origin.count("GET") == 2
    if how == "fin":
        # A reset may destroy what was on its way.
        assert origin.bytes("GET") == SIZE
        if at >= MIB:
            assert origin.requests("GET")[1]["Range"] == f"bytes={at}-"
    assert own.metric("fill_resumed_total") == (1 if at >= MIB and how == "fin" else
                                                own.metric("fill_resumed_total"))


def test_cut_many_times(own, origin, large):
    """As long as it goes forward it goes on, and at once: a line that breaks is
    no endpoint that is down."""
    for at in range(SIZE - MIB // 2, 0, -MIB // 2):
        origin.when(large.pattern, times=1, cut_at=at)
    answer = own.get(large.target)
    assert (answer.ended, answer.body) == (WHOLE, large.data)
    assert origin.bytes("GET") == SIZE
    own.stop()
    rests = [line for line in own.log().splitlines()
             if large.blob in line and '"to":"rest"' in line]
    assert not rests


def test_resumed_where_ranges_are_ignored(own, origin, large):
    """A 200 in answer to a Range is the whole, from its start."""
    origin.when(large.pattern, ignores_range=True)
    origin.when(large.pattern, times=1, cut_at=MIB)
    answer = own.get(large.target)
    assert (answer.ended, answer.body) == (WHOLE, large.data)


def test_resumed_at_the_next_endpoint(start, origin, large):
    with Faulty() as second:
        second.load("lib/x", large)
        fault = origin.when(large.pattern, pause_at=MIB)
        mirror = start({UPSTREAM: registry_at(origin.url, second.url)})
        with mirror.wire() as wire:
            wire.request(large.target)
            answer = wire.body(wire.head(), stop_at=1000)
            fault.gate.wait_arrival()
            origin.stop()   # nobody is there to be asked for the rest
            assert wire.body(answer).body == large.data
        assert origin.bytes("GET") + second.bytes("GET") <= SIZE + MIB // 16
        assert second.requests("GET")[0]["Range"]


def test_cut_manifest(own, origin, new_seed):
    content = origin.load("lib/x", images.image(size=64, tag="1.0", seed=new_seed()))
    origin.when("GET .*manifests", times=1, cut_at=50)
    assert own.get("/v2/lib/x/manifests/1.0").body == content.manifests[content.top][1]


# ---- stalls ------------------------------------------------------------------------

@pytest.mark.parametrize("at", [100, MIB])
def test_a_stalled_line_is_tried_again_before_readers_notice(start, origin, large, at):
    for stop in [at + MIB, at]:
        origin.when(large.pattern, times=1, pause_at=stop)
    mirror = start({UPSTREAM: over_the_wan(origin.url)}, **NO_PATIENCE)
    answer = mirror.get(large.target)
    assert (answer.ended, answer.body) == (WHOLE, large.data)
    assert origin.count("GET") == 3
    assert origin.bytes("GET") <= SIZE + 2 * (64 << 10)
    assert mirror.metric("fill_readers_cut_total") == 0


@pytest.mark.parametrize("at", [0, 100, MIB])
def test_stall_is_given_up_and_resumed(start, origin, large, at):
    """Behind the watchdog the reader sees an early end (a FIN), or a 503 when
    there was nothing yet; it comes back for the rest, as containerd does."""
    origin.when(large.pattern, pause_at=at, cut_at=at)
    mirror = start({UPSTREAM: over_the_wan(origin.url)}, **NO_PATIENCE)
    answer = mirror.get(large.target)
    origin.heal()
    have = b"" if answer.status == 503 else answer.body
    assert answer.status == 503 or answer.ended == FIN
    assert len(have) <= at and have == large.data[:len(have)]
    rest = mirror.get(large.target, range=f"bytes={len(have)}-")
    assert (rest.status, rest.ended) == (206, WHOLE)
    assert have + rest.body == large.data
    assert origin.bytes("GET") <= SIZE + (64 << 10)
    assert mirror.metric("fill_broken_total") >= 1


def test_stall_before_the_head(start, origin, large):
    """A clear answer well before the client's own 30 seconds."""
    origin.when("", before=Gate())
    mirror = start({UPSTREAM: over_the_wan(origin.url)}, **NO_PATIENCE)
    for answer in ask_all(mirror, large.target, "/v2/lib/x/manifests/1.0"):
        assert answer.status == 503


def test_slow_is_not_stalled(start, origin, new_blob):
    """Bytes that trickle are bytes, for longer than a stall may last."""
    content = origin.load("lib/x", new_blob(2 * MIB))
    origin.when("GET .*blobs", rate=MIB // 2)
    mirror = start({UPSTREAM: over_the_wan(origin.url)}, **NO_PATIENCE)
    assert mirror.get(f"/v2/lib/x/blobs/{content.blob}").body == content.blobs[content.blob]
    assert origin.count("GET") == 1
    assert mirror.metric("fill_broken_total") == 0


# ---- the end that clients see: a FIN, never an RST --------------------------------------

@pytest.fixture(params=["plain", "tls"])
def lines(request, start, origin, authority, server_certificate):
    """(mirror, how to open a line to it); the line's own buffer is small."""
    port = free_port()
    listen = {"address": f"127.0.0.1:{port}"}
    if request.param == "tls":
        listen["tls"] = {"certificate": str(server_certificate.crt),
                         "key": str(server_certificate.key)}
    mirror = start({UPSTREAM: registry_at(origin.url)}, listen=[listen],
                   limits={"drain": "1s"})
    tls = trusting(authority) if request.param == "tls" else None
    return mirror, lambda: Wire(port, tls=tls, receive_buffer=64 << 10)


def test_wrong_bytes_end_with_a_fin(lines, origin, large):
    mirror, line = lines
    origin.when(large.pattern, wrong_at=0, pause_at=SIZE - 10)
    with line() as wire:
        wire.request(large.target)
        # Requests behind it lie unread in the mirror's socket when it gives up.
        wire.send(b"GET /v2/ HTTP/1.1\r\nHost: x\r\n\r\n" * 2000)
        answer = wire.body(wire.head(), stop_at=MIB)
        _open_gates(origin)
        # What was sent before is still on its way when the line is ended.
        mirror.wait_metric("fill_readers_cut_total", 1)
        wire.body(answer)
        assert answer.ended == FIN
        assert MIB <= len(answer.body) < SIZE


def _open_gates(origin):
    for fault in origin.faults:
        fault.gate.open()


def test_drain_ends_with_a_fin(lines, origin, large):
    mirror, line = lines
    origin.when(large.pattern, pause_at=2 * MIB)
    with line() as wire:
        wire.request(large.target)
        answer = wire.body(wire.head(), stop_at=MIB)
        mirror.daemon.signal(15)
        mirror.daemon.wait_end()
        wire.body(answer)
        assert answer.ended == FIN


@pytest.mark.skipif(not is_installed("containerd", "ctr"), reason="containerd is not installed")
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_containerd_heals_a_cut(tmp_path, origin, authority, server_certificate, scheme):
    """The line stalls in mid-body until the watchdog bites: a real containerd
    sees an early end, resumes by Range and completes its pull."""
    content = origin.load("lib/x", images.image(layers=2, size=6 * MIB, how="", tag="1.0"))
    port = free_port()
    listen = {"address": f"127.0.0.1:{port}"}
    if scheme == "https":
        listen["tls"] = {"certificate": str(server_certificate.crt),
                         "key": str(server_certificate.key)}
    stalls = [origin.when(f"GET .*{layer}", pause_at=3 * MIB, cut_at=3 * MIB)
              for layer in content.layers]
    mirror = Railhead(tmp_path / "mirror", {UPSTREAM: over_the_wan(origin.url)},
                      listen=[listen], default_upstream=None, **NO_PATIENCE)
    with mirror, Containerd(tmp_path / "containerd") as containerd:
        words = ["hosts", "--config", mirror.config_file, "--mirror",
                 f"{scheme}://127.0.0.1:{port}", "--fallback", "no",
                 "--out", containerd.hosts_dir]
        if scheme == "https":
            words += ["--ca", authority.ca.crt]
        assert run(*words).returncode == 0
        pull = in_background(containerd.pull, f"{UPSTREAM}/lib/x:1.0")
        mirror.wait_metric("fill_readers_cut_total", len(stalls))
        origin.heal()
        good(pull.join())
        assert set(content.layers) <= containerd.digests()
        assert mirror.metric("fill_readers_cut_total") == len(content.layers)
        assert origin.bytes("GET .*blobs") == sum(map(len, content.blobs.values()))


# ---- nobody there --------------------------------------------------------------------

def test_upstream_down_at_start_and_up_later(start, origin, large):
    origin.stop()
    mirror = start({UPSTREAM: registry_at(origin.url)})
    assert mirror.admin("/readyz").status == 200
    for answer in ask_all(mirror, large.target, "/v2/lib/x/manifests/1.0",
                          "/v2/lib/x/tags/list"):
        assert (answer.status, answer.error_code()) == (503, "UNAVAILABLE")
    origin.start()
    wait_until(lambda: mirror.get("/v2/lib/x/manifests/1.0").status == 200, 90,
               "the upstream to be found again")
    wait_until(lambda: mirror.get(large.target).body == large.data, 90)


def test_name_that_does_not_resolve(start, large):
    mirror = start({UPSTREAM: registry_at("http://registry.invalid")})
    with Wire(mirror.port, timeout=29) as wire:
        assert wire.ask(large.target).status == 503


def test_upstream_goes_down_in_mid_fill_and_comes_back(own, origin, large):
    """The fill waits; the reader keeps what it has and goes on."""
    origin.when(large.pattern, times=1, pause_at=MIB)
    with own.wire() as wire:
        wire.request(large.target)
        answer = wire.body(wire.head(), stop_at=MIB)
        origin.stop()
        own.wait_metric("fill_broken_total", lambda have: have >= 1)
        origin.start()
        assert wire.body(answer).body == large.data
    assert origin.bytes("GET") <= SIZE + MIB // 16


def test_stored_content_with_every_upstream_down(own, origin, new_seed):
    content = origin.load("lib/x", images.image(size=5000, tag="1.0", seed=new_seed()))
    own.get("/v2/lib/x/manifests/1.0")
    for digest in content.blobs:
        own.get(f"/v2/lib/x/blobs/{digest}")
    own.wait_stored(len(content.blobs) + 1)
    own.stop()
    origin.stop()
    own.start()
    for method in (own.get, own.head):
        assert method("/v2/lib/x/manifests/1.0").status == 200
        assert method(f"/v2/lib/x/manifests/{content.top}").status == 200
        for digest in content.blobs:
            assert method(f"/v2/lib/x/blobs/{digest}").status == 200


# ---- statuses of the upstream ----------------------------------------------------------

BECOMES = {401: {404}, 403: {404}, 404: {404}, 410: {404}, 400: {404, 502, 503},
           418: {404, 502, 503}, 429: {503}, 500: {503}, 502: {503}, 503: {503}, 504: {503}}


KINDS = ["tag", "manifest", "blob", "tags", "referrers"]


class Sorry:
    """For each status an upstream that answers with nothing else, and what a
    mirror of them all says to everything at once: most of it is waiting.  Each
    has content of its own, or they would wait for each other's."""

    def __init__(self, folder):
        self.contents = {status: images.single_blob(images.noise(1000, status), tag="1.0")
                         for status in BECOMES}
        self.origins = {status: Faulty().start() for status in BECOMES}
        for status, origin in self.origins.items():
            origin.load("lib/x", self.contents[status])
            origin.when("", status=status, body=b"<html>sorry</html>",
                        fields={"Content-Type": "text/html", "Retry-After": "1"})
        self.mirror = Railhead(folder, {f"sorry-{status}.test": registry_at(origin.url)
                                        for status, origin in self.origins.items()})

    def ask(self, status, kind, method):
        content = self.contents[status]
        tail = {"tag": "manifests/1.0", "manifest": f"manifests/{content.top}",
                "blob": f"blobs/{content.blob}", "tags": "tags/list",
                "referrers": f"referrers/{content.top}"}[kind]
        with Wire(self.mirror.port, timeout=29) as wire:
            return wire.ask(f"/v2/lib/x/{tail}?ns=sorry-{status}.test", method)

    def ask_everything(self):
        asked = {(status, kind, method): in_background(self.ask, status, kind, method)
                 for status in BECOMES for kind in KINDS for method in ("GET", "HEAD")
                 if method == "GET" or kind not in ("tags", "referrers")}
        self.answers = {key: client.join() for key, client in asked.items()}


@pytest.fixture(scope="module")
def sorry(tmp_path_factory):
    made = Sorry(tmp_path_factory.mktemp("sorry"))
    with made.mirror:
        made.ask_everything()
        for origin in made.origins.values():
            origin.heal()
        yield made
    for origin in made.origins.values():
        origin.stop()


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("kind", ["tag", "manifest", "blob"])
@pytest.mark.parametrize("status", sorted(BECOMES))
def test_status_of_the_upstream(sorry, status, kind, method):
    """Never a 429 to a client, nor a challenge."""
    answer = sorry.answers[status, kind, method]
    assert answer.status in BECOMES[status], answer
    assert answer["WWW-Authenticate"] is None
    if method == "GET":
        assert answer.error_code()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("status", sorted(BECOMES))
def test_all_is_well_again_afterwards(sorry, status, kind):
    wait_until(lambda: sorry.ask(status, kind, "GET").status == 200, 60,
               "the upstream to be believed again")


@pytest.mark.parametrize("status", [429, 500, 503])
def test_lists_of_a_failing_upstream(sorry, status):
    assert sorry.answers[status, "tags", "GET"].status == 503
    assert sorry.answers[status, "referrers", "GET"].status in (200, 503)


def test_short_failure_is_bridged(own, origin, large):
    """Having served the manifest, we do what we can for its blobs."""
    assert own.get("/v2/lib/x/manifests/1.0").status == 200
    origin.when(large.pattern, times=2, status=503)
    assert own.get(large.target).body == large.data


def test_garbage_instead_of_http(start, large):
    """From something that is no registry."""
    listener = socket.create_server(("127.0.0.1", 0))

    def talk():
        while True:
            try:
                peer, _ = listener.accept()
            except OSError:
                return
            with peer, contextlib.suppress(OSError):
                peer.recv(4096)
                peer.sendall(b"SSH-2.0-nothing\r\n" * 100)

    threading.Thread(target=talk, daemon=True).start()
    mirror = start({UPSTREAM: registry_at(f"http://127.0.0.1:{listener.getsockname()[1]}")})
    with Wire(mirror.port, timeout=29) as wire:
        assert wire.ask(large.target).status == 503
    listener.close()
