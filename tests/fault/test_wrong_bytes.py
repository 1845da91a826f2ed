"""Wrong bytes from an upstream: no client completes them, nothing is stored.

Readers that were sent only right bytes go on over the same connection once
another endpoint has the right ones; the others see an early end.
"""

import pytest

from conftest import UPSTREAM
from lib import images
from lib.faulty import Faulty
from lib.images import MIB
from lib.railhead import registry_at
from lib.wait import in_background, wait_until
from lib.wire import FIN, RESET, WHOLE

SIZE = 4 * MIB
PLACES = {"first": 0, "middle": SIZE // 2, "last": SIZE - 1}


class Pair:
    """A blob on two endpoints; the first one's has a wrong byte."""

    def __init__(self, first, second, content, wrong_at):
        self.first, self.second, self.content = first, second, content
        self.data = content.blobs[content.blob]
        self.target = f"/v2/lib/x/blobs/{content.blob}"
        first.load("lib/x", content)
        if second:
            second.load("lib/x", content)
        self.fault = first.when(f"GET .*{content.blob}", wrong_at=wrong_at)


@pytest.fixture
def spare():
    with Faulty() as server:
        yield server


def check_nothing_stored(mirror, content):
    assert not mirror.has_blob(content.blob)
    for path in mirror.store.rglob("*"):
        if path.is_file() and path.parent.name != "quarantine":
            assert content.blob.split(":")[1] not in path.name or "drafts" in str(path.parent)


@pytest.mark.threads
@pytest.mark.parametrize("place", sorted(PLACES))
@pytest.mark.parametrize("size", [SIZE, MIB // 2, 1000])
def test_one_endpoint(own, origin, new_blob, place, size):
    """Nobody completes; then the upstream heals, and a fresh client succeeds."""
    wrong_at = {"first": 0, "middle": size // 2, "last": size - 1}[place]
    pair = Pair(origin, None, new_blob(size), wrong_at)
    clients = [in_background(own.get, pair.target) for _ in range(5)]
    for client in clients:
        answer = client.join()
        assert answer.ended != RESET
        assert answer.status in (502, 503) or answer.ended == FIN, answer
        assert answer.body != pair.data[:len(answer.body)] or len(answer.body) < size
    assert own.metric("fill_broken_total") >= 1
    check_nothing_stored(own, pair.content)
    origin.heal()
    assert own.get(pair.target).body == pair.data
    own.wait_stored(1)
    assert own.has_blob(pair.content.blob)


@pytest.mark.parametrize("size", [1, 1000, MIB // 2, MIB])
def test_small_blobs_are_held_back_whole(start, origin, spare, new_blob, size):
    """With a second endpoint nobody notices anything."""
    pair = Pair(origin, spare, new_blob(size), 0)
    mirror = start({UPSTREAM: registry_at(origin.url, spare.url)})
    clients = [in_background(mirror.get, pair.target) for _ in range(5)]
    for client in clients:
        answer = client.join()
        assert (answer.status, answer.ended, answer.body) == (200, WHOLE, pair.data)
    assert mirror.metric("fill_readers_cut_total") == 0


@pytest.mark.threads
def test_last_byte_wrong_and_two_endpoints(start, origin, spare, new_blob):
    """It lay in what was held back: nobody is lost."""
    pair = Pair(origin, spare, new_blob(SIZE), SIZE - 1)
    mirror = start({UPSTREAM: registry_at(origin.url, spare.url)})
    clients = [in_background(mirror.get, pair.target) for _ in range(8)]
    for client in clients:
        answer = client.join()
        assert (answer.status, answer.ended, answer.body) == (200, WHOLE, pair.data)
    assert mirror.metric("fill_readers_cut_total") == 0
    mirror.wait_stored(1)
    assert mirror.has_blob(pair.content.blob)
    assert mirror.metric("fill_broken_total") == 1


@pytest.mark.threads
def test_middle_byte_wrong_and_two_endpoints(start, origin, spare, new_blob):
    """Who is past it is lost; who is not goes on over the same connection."""
    size, wrong_at = 4 * SIZE, 3 * SIZE   # more than the kernel buffers for a slow one
    pair = Pair(origin, spare, new_blob(size), wrong_at)
    pair.fault.pause_at = size - 1000
    mirror = start({UPSTREAM: registry_at(origin.url, spare.url)})
    slow, fast = mirror.wire(receive_buffer=4096), mirror.wire()
    slow.request(pair.target)
    slow_answer = slow.body(slow.head(), stop_at=1000)
    fast.request(pair.target)
    fast_answer = fast.body(fast.head(), stop_at=wrong_at + 100_000)
    pair.fault.gate.wait_arrival()
    pair.fault.gate.open()
    fast.body(fast_answer)
    assert fast_answer.ended == FIN
    assert len(fast_answer.body) < size
    slow.body(slow_answer)
    assert (slow_answer.ended, slow_answer.body) == (WHOLE, pair.data)
    assert slow.ask("/v2/").status == 200
    assert mirror.metric("fill_readers_cut_total") == 1
    assert mirror.get(pair.target).body == pair.data
    slow.close(), fast.close()


@pytest.mark.threads
@pytest.mark.parametrize("place", sorted(PLACES))
def test_a_fresh_client_always_succeeds(start, origin, spare, new_blob, place):
    """Also one that comes while the wrong bytes are being found out."""
    pair = Pair(origin, spare, new_blob(SIZE), PLACES[place])
    pair.fault.pause_at = SIZE - 1
    mirror = start({UPSTREAM: registry_at(origin.url, spare.url)})
    early = [in_background(mirror.get, pair.target) for _ in range(3)]
    pair.fault.gate.wait_arrival()
    pair.fault.gate.open()
    for client in early:
        answer = client.join()
        assert answer.ended in (WHOLE, FIN)
        assert (answer.body == pair.data) == (answer.ended == WHOLE)
    fresh = mirror.get(pair.target)
    assert (fresh.status, fresh.ended, fresh.body) == (200, WHOLE, pair.data)


def test_range_readers_before_the_wrong_byte_go_on(start, origin, spare, new_blob):
    pair = Pair(origin, spare, new_blob(SIZE), SIZE // 2)
    pair.fault.pause_at = SIZE - 1000
    mirror = start({UPSTREAM: registry_at(origin.url, spare.url)})
    wire = mirror.wire()
    wire.request(pair.target, fields={"Range": "bytes=1000-1999"})
    answer = wire.head()
    assert answer.status == 206
    pair.fault.gate.wait_arrival()
    pair.fault.gate.open()
    assert wire.body(answer).body == pair.data[1000:2000]
    wire.close()


def test_both_endpoints_wrong(start, origin, spare, new_blob):
    """In the same way, then in two ways: never stored, never completed."""
    for second_at in (SIZE // 2, 10):
        pair = Pair(origin, spare, new_blob(SIZE), SIZE // 2)
        spare.when(f"GET .*{pair.content.blob}", wrong_at=second_at)
        mirror = start({UPSTREAM: registry_at(origin.url, spare.url)})
        answer = mirror.get(pair.target)
        assert answer.ended == FIN or answer.status in (502, 503)
        check_nothing_stored(mirror, pair.content)


def test_an_endpoint_that_lied_is_held_back_whole(start, origin, spare, new_blob):
    """Its next blobs reach nobody before they are verified."""
    pair = Pair(origin, spare, new_blob(SIZE), SIZE - 1)
    mirror = start({UPSTREAM: registry_at(origin.url, spare.url)})
    assert mirror.get(pair.target).body == pair.data
    later = Pair(origin, spare, new_blob(SIZE), 5)
    answer = mirror.get(later.target)
    assert (answer.status, answer.ended, answer.body) == (200, WHOLE, later.data)
    assert mirror.metric("fill_readers_cut_total") == 0


@pytest.mark.threads
def test_bytes_of_one_that_lied_stay_held_back(start, origin, spare, new_blob):
    """Also when another endpoint goes on behind them."""
    liar = Pair(origin, spare, new_blob(SIZE), 5)
    mirror = start({UPSTREAM: registry_at(origin.url, spare.url)})
    mirror.get(liar.target)
    n_cut = mirror.metric("fill_readers_cut_total")
    pair = Pair(origin, spare, new_blob(SIZE), None)
    pattern = f"GET .*{pair.content.blob}"
    rest = spare.when(pattern, times=1, pause_at=SIZE - 10)
    spare.when(pattern, times=1, cut_at=SIZE // 4)
    origin.when(pattern, times=1, status=500)
    origin.when(pattern, times=1, wrong_at=SIZE // 4 + 5, cut_at=SIZE // 2)
    origin.when(pattern, times=1, status=500)
    client = in_background(mirror.get, pair.target)
    rest.gate.wait_arrival()
    assert origin.count(pattern) == 3
    rest.gate.open()
    answer = client.join()
    assert (answer.status, answer.ended, answer.body) == (200, WHOLE, pair.data)
    assert mirror.metric("fill_readers_cut_total") == n_cut


def test_the_log_names_who_sent_wrong_bytes(start, origin, spare, new_blob):
    pair = Pair(origin, spare, new_blob(SIZE), SIZE - 1)
    mirror = start({UPSTREAM: registry_at(origin.url, spare.url)})
    mirror.get(pair.target)
    told = mirror.wait_log(pair.content.blob, origin.authority, "sent other bytes")
    assert all('"warn"' in line for line in told), told


# ---- lengths -------------------------------------------------------------------------

@pytest.mark.parametrize("size", [1000, SIZE])
@pytest.mark.parametrize("wrong", [-1, -500, 1, 5000])
def test_wrong_length(own, origin, new_blob, size, wrong):
    content = origin.load("lib/x", new_blob(size))
    target = f"/v2/lib/x/blobs/{content.blob}"
    origin.when(f"GET .*{content.blob}", length=size + wrong)
    answer = own.get(target)
    assert answer.status in (502, 503) or answer.ended == FIN
    assert answer.body != content.blobs[content.blob] or answer.ended != WHOLE
    assert not own.has_blob(content.blob)
    origin.heal()
    wait_until(lambda: own.get(target).body == content.blobs[content.blob],
               what="the endpoint to be asked again")


def test_head_with_a_length_unlike_the_manifests(start, origin, spare, new_blob):
    """The next endpoint is asked."""
    content = new_blob(1000)
    for server in (origin, spare):
        server.load("lib/x", content)
    origin.when(f"HEAD .*{content.blob}", length=999)
    mirror = start({UPSTREAM: registry_at(origin.url, spare.url)})
    assert mirror.get("/v2/lib/x/manifests/1.0").status == 200
    mirror.wait_stored(1)
    assert mirror.head(f"/v2/lib/x/blobs/{content.blob}").length == 1000


@pytest.mark.parametrize("size", [0, 1000, SIZE])
def test_chunked_without_a_length(own, origin, new_blob, size):
    content = origin.load("lib/x", new_blob(size))
    origin.when("GET .*blobs", is_chunked=True)
    for _ in range(2):
        answer = own.get(f"/v2/lib/x/blobs/{content.blob}")
        assert (answer.status, answer.body) == (200, content.blobs[content.blob])
        assert answer.length == size


def test_chunked_manifest(own, origin, new_seed):
    content = origin.load("lib/x", images.image(size=64, tag="1.0", seed=new_seed()))
    origin.when("manifests", is_chunked=True)
    answer = own.get("/v2/lib/x/manifests/1.0")
    assert (answer.status, answer.body) == (200, content.manifests[content.top][1])
    assert answer.length == len(answer.body)


def test_endless_manifest(own, origin, new_seed):
    """There is a ceiling on what is kept in memory."""
    content = images.Content()
    content.tags["1.0"] = content.add_manifest(images.OCI_MANIFEST, b" " * (40 * MIB))
    origin.load("lib/x", content)
    assert own.get("/v2/lib/x/manifests/1.0").status in (502, 503, 413)
    assert origin.bytes("GET") < 30 * MIB


def test_garbage_for_a_manifest(own, origin):
    content = images.Content()
    content.tags["1.0"] = content.add_manifest(images.OCI_MANIFEST, b"\x00\xff not json {{{")
    origin.load("lib/x", content)
    answer = own.get("/v2/lib/x/manifests/1.0")
    assert answer.status in (200, 502, 503)
    assert own.get("/v2/").status == 200
