"""A large blob in several ranges at once: faster, in order, and as safe."""

import re
import time

import pytest

from conftest import UPSTREAM
from lib.faulty import Faulty
from lib.images import MIB
from lib.railhead import registry_at
from lib.server import Reply
from lib.wait import in_background, wait_until
from lib.wire import FIN, WHOLE

SIZE = 32 * MIB
PIECE = 4 * MIB
CHUNK = 64 << 10


@pytest.fixture
def large(origin, new_blob):
    content = origin.load("lib/x", new_blob(SIZE))
    content.data = content.blobs[content.blob]
    content.target = f"/v2/lib/x/blobs/{content.blob}"
    content.pattern = f"GET .*{content.blob}"
    return content


@pytest.fixture
def wide(start):
    """A mirror that takes four ranges at once, from these servers in order."""
    def make(*servers, segments=4, link=None, **options):
        if link:
            options["links"] = {"wan": link}
        more = {"link": "wan"} if link else {}
        return start({UPSTREAM: registry_at(
            *({"url": server.url, "segments": segments, **more} for server in servers))},
            **options)
    return make


def check_whole(answer, content):
    assert (answer.status, answer.ended) == (200, WHOLE)
    assert answer.body == content.data


def ranges(server):
    return [tuple(int(at or -1) for at in re.match(r"bytes=(\d+)-(\d*)", request["Range"]).groups())
            for request in server.requests("GET") if request["Range"]]


def at_once(server, what="GET"):
    return sum(not request.is_done and request.status in (200, 206)
               for request in server.requests(what))


# ---- speed, order, thrift ------------------------------------------------------------

def test_four_are_faster_than_one(wide, origin, large):
    origin.when(large.pattern, rate=4 * MIB)
    took = {}
    for segments in (1, 4):
        mirror = wide(origin, segments=segments)
        began = time.monotonic()
        check_whole(mirror.get(large.target), large)
        took[segments] = time.monotonic() - began
    assert took[1] / took[4] >= 3.5, took


def test_each_byte_crosses_once(wide, origin, large):
    mirror = wide(origin)
    check_whole(mirror.get(large.target), large)
    assert origin.bytes("GET") == SIZE
    starts = [first for first, _ in ranges(origin)]
    assert sorted(starts) == list(range(0, SIZE, PIECE))
    assert mirror.metric("fill_resumed_total") == 0
    mirror.wait_stored(1)
    assert mirror.blob_file(large.blob).read_bytes() == large.data


def test_readers_get_bytes_from_the_front(wide, origin, large):
    """The second piece stands still: all before it is sent, nothing behind."""
    mirror = wide(origin)
    stopped = origin.when(large.pattern, pause_at=PIECE + MIB, rate=64 * MIB)
    with mirror.wire() as wire:
        wire.request(large.target)
        answer = wire.body(wire.head(), stop_at=PIECE + MIB - CHUNK)
        assert answer.body == large.data[:PIECE + MIB - CHUNK]
        wait_until(lambda: origin.bytes("GET") >= SIZE - 3 * MIB)
        assert answer.ended is None
        stopped.gate.open()
        check_whole(wire.body(answer), large)
    assert origin.bytes("GET") == SIZE


def test_small_blobs_are_not_cut(wide, origin, new_blob):
    content = origin.load("lib/x", new_blob(6 * MIB))
    mirror = wide(origin)
    assert mirror.get("/v2/lib/x/manifests/1.0").status == 200
    answer = mirror.get(f"/v2/lib/x/blobs/{content.blob}")
    assert answer.body == content.blobs[content.blob]
    assert origin.count("GET .*blobs") == 1


def test_never_more_than_the_link_has_connections(wide, origin, large):
    origin.when(large.pattern, rate=8 * MIB)
    mirror = wide(origin, segments=8, link={"rate": "1Gbit", "connections": 2})
    client = in_background(mirror.get, large.target)
    most = 0
    while client.is_alive():
        most = max(most, at_once(origin, "blobs"))
    check_whole(client.join(), large)
    assert most == 2


def test_others_come_before_one_more_lane(wide, origin, large, new_blob):
    """The link has two connections: the next that is free is the other blob's."""
    origin.when("GET .*blobs", rate=4 * MIB)
    other = origin.load("lib/x", new_blob(MIB))
    mirror = wide(origin, link={"rate": "1Gbit", "connections": 2})
    client = in_background(mirror.get, large.target)
    wait_until(lambda: sum(request.sent > MIB for request in origin.requests(large.pattern)) == 2)
    answer = mirror.get(f"/v2/lib/x/blobs/{other.blob}")
    assert answer.body == other.blobs[other.blob]
    assert other.blob in origin.requests("GET .*blobs")[2].target
    check_whole(client.join(), large)


# ---- a Range ahead ---------------------------------------------------------------------

def test_a_cold_range_far_ahead_is_next(wide, origin, large):
    """It does not wait for the front, which trickles."""
    origin.when(large.pattern, rate=2 * MIB)
    mirror = wide(origin, segments=2)
    first = 24 * MIB + 1000
    began = time.monotonic()
    with mirror.wire() as wire:
        wire.request(large.target, fields={"Range": f"bytes={first}-"})
        answer = wire.body(wire.head(), stop_at=MIB)
        took = time.monotonic() - began
        assert answer.status == 206
        assert answer.body == large.data[first:first + MIB]
        assert took < 5     # the front takes 6 s and more to come here
        check_whole(mirror.get(large.target), large)
        wire.body(answer)
        assert (answer.ended, answer.body) == (WHOLE, large.data[first:])
    assert origin.bytes("GET") == SIZE


def test_what_is_ahead_is_held_back_like_all(wide, origin, large):
    """A bounded Range's end waits for the digest, wherever it lies."""
    first, last = 24 * MIB, 26 * MIB - 1
    stall = origin.when(large.pattern, pause_at=MIB)
    mirror = wide(origin, segments=2)
    with mirror.wire() as wire:
        wire.request(large.target, fields={"Range": f"bytes={first}-{last}"})
        answer = wire.body(wire.head(), stop_at=2 * MIB - CHUNK)
        assert answer.body == large.data[first:last + 1 - CHUNK]
        wire.socket.settimeout(0.5)
        with pytest.raises(TimeoutError):
            wire.body(answer)
        wire.socket.settimeout(60)
        stall.gate.open()
        wire.body(answer)
        assert (answer.ended, answer.body) == (WHOLE, large.data[first:last + 1])


# ---- what goes wrong ---------------------------------------------------------------------

def test_lines_that_break(wide, origin, large):
    for at in range(SIZE - MIB, 0, -3 * MIB):
        origin.when(large.pattern, times=1, cut_at=at)
    check_whole(wide(origin).get(large.target), large)
    assert origin.bytes("GET") == SIZE


def test_an_upstream_that_ignores_range(wide, origin, large):
    origin.when(large.pattern, ignores_range=True)
    check_whole(wide(origin).get(large.target), large)
    assert origin.count("GET") == 1


def test_an_upstream_that_stops_to_understand_range(wide, origin, large):
    """What several lanes have brought is dropped when it comes again."""
    origin.when(large.pattern, ignores_range=True)
    origin.when(large.pattern, times=3)
    mirror = wide(origin)
    check_whole(mirror.get(large.target), large)
    mirror.wait_stored(1)
    assert mirror.blob_file(large.blob).read_bytes() == large.data


def test_an_upstream_that_refuses_more_at_once(wide, origin, large):
    """Two lines are let in; the fill goes on with those."""
    origin.when(large.pattern, rate=16 * MIB)

    def refuse(request):
        if "blobs" in request.path and at_once(origin, "blobs") >= 2:
            return Reply(503)
        return None

    origin.guard = refuse
    check_whole(wide(origin).get(large.target), large)
    assert origin.bytes("GET") == SIZE


def test_the_next_endpoint_goes_on_with_several(wide, origin, large):
    with Faulty() as spare:
        spare.load("lib/x", large)
        origin.when(large.pattern, rate=4 * MIB)
        mirror = wide(origin, spare)
        client = in_background(mirror.get, large.target)
        mirror.wait_metric("upstream_bytes_total", lambda have: have > 10 * MIB)
        origin.stop()
        check_whole(client.join(), large)
        assert len(ranges(spare)) >= 3
        assert mirror.metric("upstream_bytes_total") <= SIZE + MIB


@pytest.mark.parametrize("place", [100, PIECE + 100, SIZE - 100])
def test_wrong_bytes_in_a_piece(wide, origin, large, place):
    """Nobody completes them; a fresh draft from the next endpoint heals all who
    had seen but right ones."""
    with Faulty() as spare:
        spare.load("lib/x", large)
        origin.when(large.pattern, wrong_at=place)
        mirror = wide(origin, spare)
        answer = mirror.get(large.target)
        if place < SIZE - CHUNK:
            assert answer.ended in (FIN, WHOLE)
        if answer.ended == WHOLE:
            assert answer.body == large.data
        check_whole(mirror.get(large.target), large)
        mirror.wait_stored(1)
        assert mirror.blob_file(large.blob).read_bytes() == large.data


def test_a_reader_ahead_of_wrong_bytes(wide, origin, large):
    """It was sent what lies behind the wrong byte, so it is ended, not misled;
    its resume gets the right bytes."""
    with Faulty() as spare:
        spare.load("lib/x", large)
        stall = origin.when(large.pattern, wrong_at=100, pause_at=3 * MIB)
        mirror = wide(origin, spare, segments=2)
        first = 24 * MIB
        with mirror.wire() as wire:
            wire.request(large.target, fields={"Range": f"bytes={first}-"})
            answer = wire.body(wire.head(), stop_at=MIB)
            stall.gate.open()
            wire.body(answer)
        assert answer.body == large.data[first:first + len(answer.body)]
        have = first + len(answer.body)
        if have < SIZE:
            assert answer.ended == FIN
            rest = mirror.get(large.target, range=f"bytes={have}-")
            assert rest.body == large.data[have:]


# ---- kill -9 --------------------------------------------------------------------------

def test_killed_with_several_gaps(wide, origin, large):
    """Each gap is filled, hardly a byte twice."""
    origin.when(large.pattern, rate=4 * MIB)
    mirror = wide(origin)
    for share in (4, 2):
        client = in_background(_get_or_fail, mirror, large.target)
        mirror.wait_metric("upstream_bytes_total", lambda have, s=share: have > SIZE / s / 2)
        mirror.kill()
        client.join()
        mirror.start()
    origin.faults.clear()
    check_whole(mirror.get(large.target), large)
    assert origin.bytes("GET") - SIZE <= 2 * 4 * MIB
    mirror.wait_stored(1)


def test_gaps_are_filled_by_one_lane_too(wide, origin, large):
    """The configuration said four when they came about."""
    stall = origin.when(large.pattern, pause_at=PIECE + MIB, rate=16 * MIB)
    mirror = wide(origin)
    client = in_background(_get_or_fail, mirror, large.target)
    stall.gate.wait_arrival()
    wait_until(lambda: origin.bytes("GET") >= SIZE - 3 * MIB)
    mirror.wait_metric("upstream_bytes_total", lambda have: have >= SIZE - 3 * MIB - CHUNK)
    mirror.kill()
    client.join()
    origin.heal()
    origin.forget()
    mirror.config["upstreams"][UPSTREAM]["endpoints"][0]["segments"] = 1
    mirror.start()
    check_whole(mirror.get(large.target), large)
    assert origin.bytes("GET") <= 3 * MIB + 4 * CHUNK


def _get_or_fail(mirror, target):
    try:
        return mirror.get(target)
    except OSError:
        return None
