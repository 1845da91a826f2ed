"""One cold blob, many readers: it crosses the WAN once, and streams to all."""

import threading

import pytest

from conftest import UPSTREAM
from lib import images
from lib.images import MIB
from lib.railhead import registry_at
from lib.sinks import Crowd, get
from lib.wait import in_background
from lib.wire import WHOLE

RSS_CEILING = 64 * MIB


@pytest.fixture
def large(origin, new_blob):
    """SIZE bytes in lib/x, the upstream pausing half way."""
    def make(size, **fault):
        content = origin.load("lib/x", new_blob(size))
        content.data = content.blobs[content.blob]
        content.target = f"/v2/lib/x/blobs/{content.blob}"
        content.fault = origin.when(f"GET .*{content.blob}",
                                    **{"pause_at": size // 2, **fault})
        return content
    return make


def check_crowd(mirror, origin, content, count):
    """COUNT readers of a cold blob, a few of which look at every byte."""
    size = len(content.data)
    watched = [in_background(mirror.get, content.target) for _ in range(4)]
    with Crowd() as crowd:
        crowd.join(count - len(watched), mirror.port, get(content.target))
        # Everybody gets bytes while the upstream holds the second half back.
        crowd.pump(lambda: all(sink.received > 0 for sink in crowd.sinks))
        mirror.wait_metric("fill_readers", count)
        memory = [mirror.anonymous_memory()]
        content.fault.gate.open()

        def are_done():
            memory.append(mirror.anonymous_memory())
            return crowd.ended() == len(crowd.sinks)

        crowd.pump(are_done, timeout=240)
        assert crowd.ended(WHOLE) == len(crowd.sinks), crowd.summary()
        assert {sink.status for sink in crowd.sinks} == {200}
    assert all(each.join().body == content.data for each in watched)
    assert origin.bytes(content.blob) <= 1.005 * size
    assert origin.count(f"GET .*{content.blob}") == 1
    assert mirror.metric("requests_total", kind="blob", result="miss") == 1
    assert mirror.metric("requests_total", kind="blob", result="join") == count - 1
    return max(memory)


@pytest.mark.memory
def test_a_thousand_readers_in_little_memory(own, origin, large):
    content = large(16 * MIB)
    assert check_crowd(own, origin, content, 1000) <= RSS_CEILING


@pytest.mark.threads
@pytest.mark.parametrize("loops", [1, 4])
def test_many_readers(start, origin, large, loops):
    mirror = start({UPSTREAM: registry_at(origin.url)}, serve_loops=loops)
    check_crowd(mirror, origin, large(3 * MIB), 200)


@pytest.mark.threads
def test_get_range_and_head_share_one_fill(own, origin, large):
    content = large(4 * MIB)
    size = len(content.data)
    whole = [in_background(own.get, content.target) for _ in range(10)]
    parts = [(start, in_background(lambda at: own.get(content.target, range=f"bytes={at}-"), start))
             for start in range(0, size, size // 10)]
    heads = [in_background(own.head, content.target) for _ in range(10)]
    assert {head.join().length for head in heads} == {size}
    content.fault.gate.wait_arrival()
    content.fault.gate.open()
    assert all(each.join().body == content.data for each in whole)
    for start, each in parts:
        answer = each.join()
        assert (answer.status, answer.body) == (206, content.data[start:])
    assert origin.bytes("GET") == size


@pytest.mark.threads
def test_many_blobs_at_once(own, origin, new_blob):
    """Several fills side by side, each with several readers."""
    contents = [origin.load("lib/x", new_blob(MIB + number * 70_001)) for number in range(12)]
    readers = [(content, in_background(own.get, f"/v2/lib/x/blobs/{content.blob}"))
               for content in contents for _ in range(6)]
    for content, reader in readers:
        assert reader.join().body == content.blobs[content.blob]
    assert origin.bytes("GET") == sum(len(c.blobs[c.blob]) for c in contents)


# ---- streaming ---------------------------------------------------------------------

def test_first_byte_before_the_fill_ends(own, large):
    content = large(4 * MIB)
    with own.wire() as wire:
        wire.request(content.target)
        answer = wire.body(wire.head(), stop_at=MIB)
        assert answer.body == content.data[:MIB]
        content.fault.gate.wait_arrival()
        assert own.metric("fills") == 1
        content.fault.gate.open()
        assert wire.body(answer).body == content.data


def test_readers_get_all_but_the_tail_while_it_fills(own, large):
    """64 KiB are held back until the digest matches, no more."""
    content = large(4 * MIB, pause_at=3 * MIB)
    with own.wire() as wire:
        wire.request(content.target)
        answer = wire.body(wire.head(), stop_at=3 * MIB)
        assert len(answer.body) == 3 * MIB
        content.fault.gate.open()
        assert wire.body(answer).body == content.data


def test_the_tail_is_held_back(own, large):
    size = 4 * MIB + 40_000     # so that its last 64 KiB are no chunk of the draft
    content = large(size, pause_at=size - 1)
    with own.wire() as wire:
        wire.request(content.target)
        answer = wire.body(wire.head(), stop_at=size - (64 << 10))
        own.wait_metric("upstream_bytes_total", size - 1)
        assert len(answer.body) == size - (64 << 10) and wire.buffer == b""
        wire.socket.settimeout(1)
        with pytest.raises(TimeoutError):
            wire.socket.recv(1)
    content.fault.gate.open()
    assert own.get(content.target).body == content.data


@pytest.mark.parametrize("state", ["filling", "held"])
def test_a_bounded_range_is_not_completed_before_the_digest_matches(own, large, state):
    """Its end lies in bytes that are not verified as a whole."""
    content = large(4 * MIB if state == "filling" else MIB // 2)
    with own.wire() as wire:
        wire.request(content.target, fields={"Range": "bytes=0-999"})
        head = wire.head()
        assert head.status == 206
        own.wait_metric("upstream_bytes_total", len(content.data) // 2)
        wire.socket.settimeout(1)
        with pytest.raises(TimeoutError):
            wire.body(head)
    content.fault.gate.open()
    assert own.get(content.target, range="bytes=0-999").body == content.data[:1000]


# ---- slow ones and those who leave ---------------------------------------------------

@pytest.mark.threads
def test_slow_reader_beside_free_ones(own, origin, large):
    """One takes a few bytes at a time; nobody waits for it."""
    content = large(8 * MIB, pause_at=None)
    with own.wire(receive_buffer=4096) as slow:
        slow.request(content.target)
        answer = slow.body(slow.head(), stop_at=1024)
        free = [in_background(own.get, content.target) for _ in range(8)]
        assert all(each.join().body == content.data for each in free)
        assert len(answer.body) == 1024
        own.wait_metric("fills", 0)
        assert own.metric("store_objects") == 1
        assert slow.body(answer, stop_at=64 << 10).body == content.data[:64 << 10]
    assert origin.count("GET") == 1


def test_reader_at_a_kilobyte_a_second(own, origin, large):
    """It is still being served when everybody else has long gone."""
    content = large(8 * MIB, pause_at=None)
    pace = threading.Event()
    with own.wire(receive_buffer=4096) as slow:
        slow.request(content.target)
        answer = slow.head()
        taken = 0
        for _ in range(3):
            taken += 1024
            slow.body(answer, stop_at=taken)
            assert own.get(content.target).body == content.data
            pace.wait(1)
        assert answer.body == content.data[:taken]
        assert slow.body(answer).body == content.data


@pytest.mark.threads
@pytest.mark.parametrize("how", ["close", "reset"])
def test_client_that_goes_away_at_a_tenth(own, origin, large, how):
    """The fill ends all the same."""
    content = large(10 * MIB)
    wire = own.wire(receive_buffer=64 << 10)
    wire.request(content.target)
    wire.body(wire.head(), stop_at=MIB)
    getattr(wire, how)()
    own.wait_clients(0)
    own.wait_metric("fill_readers", 0)
    assert own.metric("fills") == 1
    content.fault.gate.open()
    own.wait_stored(1)
    assert own.get(content.target).body == content.data
    assert origin.count("GET") == 1 and origin.bytes("GET") == len(content.data)
    assert own.metric("requests_total", kind="blob", result="error") == 0


@pytest.mark.threads
def test_all_clients_go_away_and_come_back(own, origin, large):
    content = large(4 * MIB)
    wires = [own.wire() for _ in range(20)]
    for wire in wires:
        wire.request(content.target)
    for wire in wires:
        wire.body(wire.head(), stop_at=1000)
        wire.reset()
    own.wait_metric("fill_readers", 0)
    again = [in_background(own.get, content.target) for _ in range(20)]
    own.wait_metric("fill_readers", 20)
    content.fault.gate.open()
    assert all(each.join().body == content.data for each in again)
    assert origin.count("GET") == 1


# ---- containerd's parallel fetch --------------------------------------------------------

CHUNK = MIB


def fetch_chunk(mirror, content, start):
    """An open-ended range, of which one chunk is read; then the line is dropped."""
    with mirror.wire() as wire:
        wire.request(content.target, fields={"Range": f"bytes={start}-"})
        answer = wire.head()
        assert answer.status == 206
        size = len(content.data)
        assert answer["Content-Range"] == f"bytes {start}-{size - 1}/{size}"
        return wire.body(answer, stop_at=min(CHUNK, size - start)).body


@pytest.mark.threads
@pytest.mark.parametrize("state", ["cold", "stored"])
def test_parallel_open_ended_ranges(own, origin, large, state):
    content = large(8 * MIB + 12345, pause_at=None)
    if state == "stored":
        own.get(content.target)
    sent_before = own.metric("response_bytes_total", kind="blob")
    starts = range(0, len(content.data), CHUNK)
    chunks = [in_background(fetch_chunk, own, content, start) for start in starts]
    assert b"".join(chunk.join() for chunk in chunks) == content.data
    own.wait_clients(0)
    own.wait_stored(1)
    assert origin.count("GET") == 1 and origin.bytes("GET") == len(content.data)
    assert own.metric("requests_total", result="error") == 0
    assert own.metric("fill_broken_total") == 0
    # What was really sent is counted: at least what was read, never all of it.
    sent = own.metric("response_bytes_total", kind="blob") - sent_before
    promised = sum(len(content.data) - start for start in starts)
    assert len(content.data) <= sent < promised


def test_early_close_is_no_error(own, large):
    content = large(4 * MIB, pause_at=None)
    own.get(content.target)
    for _ in range(20):
        fetch_chunk(own, content, 0)
    own.wait_clients(0)
    assert own.metric("requests_total", result="error") == 0
    own.stop()
    assert '"error"' not in own.log()


# ---- thousands of idle and nasty connections ----------------------------------------------

IDLE, SLOW = 10_000, 1_000


@pytest.mark.memory
def test_idle_connections_and_slow_heads(start, origin):
    """10,000 stand idle, 1,000 send a byte a second; others are served at once."""
    content = origin.load("lib/x", images.image(size=20_000, tag="1.0"))
    mirror = start({UPSTREAM: registry_at(origin.url)},
                   limits={"connections": IDLE + SLOW + 100, "head_timeout": "5s",
                           "idle_timeout": "10m"})
    head = get("/v2/lib/x/manifests/1.0")
    with Crowd() as idle, Crowd() as slow:
        for _ in range(10):     # in portions that an accept queue can take
            idle.join(IDLE // 10, mirror.port, head)
            idle.pump(lambda: idle.ended() == len(idle.sinks))
        assert idle.ended(WHOLE) == IDLE
        slow.join(SLOW, mirror.port, head[:1])
        mirror.wait_clients(lambda have: have >= IDLE + SLOW)
        assert mirror.anonymous_memory() <= 2 * RSS_CEILING
        sent, tick = 1, threading.Event()
        while slow.ended() < SLOW:
            assert sent < 20, slow.summary()
            for digest in content.blobs:
                assert mirror.get(f"/v2/lib/x/blobs/{digest}").status == 200
            _send_one_more(slow, head[sent:sent + 1])
            sent += 1
            tick.wait(1)
            _read_what_is_there(slow)
        mirror.wait_clients(IDLE)
        for sink in idle.sinks[::100]:
            sink.socket.setblocking(True)
            sink.socket.send(head)
            assert sink.socket.recv(4096).startswith(b"HTTP/1.1 200 ")


def _send_one_more(crowd, byte):
    for sink in crowd.sinks:
        if not sink.end:
            try:
                sink.socket.send(byte)
            except OSError:
                pass


def _read_what_is_there(crowd):
    rounds = iter([False, False, True])
    crowd.pump(lambda: next(rounds))


def test_nobody_is_kept_waiting_by_a_slow_head(start, origin):
    origin.load("lib/x", images.image(size=64, tag="1.0"))
    mirror = start({UPSTREAM: registry_at(origin.url)}, limits={"head_timeout": "10m"})
    held = [mirror.wire() for _ in range(50)]
    for wire in held:
        wire.send(b"GET /v2/ HTTP/1.1\r\nHo")
    assert mirror.get("/v2/lib/x/manifests/1.0").status == 200
    for wire in held:
        wire.send(b"st: x\r\n\r\n")
        assert wire.body(wire.head()).status == 200
        wire.close()
    mirror.wait_clients(0)
