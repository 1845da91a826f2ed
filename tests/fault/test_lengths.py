"""Upstreams that tell a wrong length, none, or never get to the end."""

import itertools

import pytest

from conftest import UPSTREAM
from lib.images import MIB, Content
from lib.railhead import registry_at
from lib.wait import in_background, wait_until
from lib.wire import FIN, WHOLE

SIZE = 4 * MIB
STALL_S = 3


@pytest.fixture
def large(origin, new_blob):
    content = origin.load("lib/x", new_blob(SIZE))
    content.data = content.blobs[content.blob]
    content.target = f"/v2/lib/x/blobs/{content.blob}"
    content.pattern = f"GET .*{content.blob}"
    return content


def settle(mirror):
    """Until all is written down."""
    mirror.stop()
    mirror.start()


def check_whole(answer, data):
    assert (answer.status, answer.ended, answer.length) == (200, WHOLE, len(data)), answer
    assert answer.body == data


# ---- heads ---------------------------------------------------------------------------

@pytest.mark.parametrize("wrong", [1, 123, SIZE - 1, SIZE + 1, 1 << 40])
def test_wrong_length_of_a_head(own, origin, large, wrong):
    """It is the upstream's word to whoever asked; nobody else is bound by it."""
    origin.when(f"HEAD .*{large.blob}", length=wrong)
    assert own.head(large.target).status == 200
    settle(own)
    part = own.get(large.target, range="bytes=1000-1999")
    assert (part.status, part.body) == (206, large.data[1000:2000])
    assert part["Content-Range"] == f"bytes 1000-1999/{SIZE}"
    check_whole(own.get(large.target), large.data)
    assert own.metric("fill_broken_total") == 0
    own.wait_stored(1)
    assert own.head(large.target).length == SIZE


# What a HEAD's answer lacks: a length, or a true one.
NO_LENGTH = {"none": {"Content-Length": None}, "zero": {"Content-Length": 0},
             "chunked": {"Content-Length": None, "Transfer-Encoding": "chunked"}}


@pytest.mark.parametrize("how", sorted(NO_LENGTH))
def test_head_without_a_length(own, origin, large, how):
    """Who is told that a blob has no bytes may believe it."""
    origin.when(f"HEAD .*{large.blob}", fields=NO_LENGTH[how])
    with own.wire() as wire:
        for _ in range(2):
            answer = wire.ask(large.target, "HEAD")
            assert (answer.status, answer.length) == (200, None), answer
            assert answer["Docker-Content-Digest"] == large.blob
        assert wire.ask("/v2/").status == 200
        check_whole(wire.ask(large.target), large.data)
        own.wait_stored(1)
        assert wire.ask(large.target, "HEAD").length == SIZE


@pytest.mark.parametrize("how", ["none", "chunked"])
def test_head_without_a_length_of_what_a_manifest_names(own, origin, large, how):
    assert own.get("/v2/lib/x/manifests/1.0").status == 200
    origin.when(f"HEAD .*{large.blob}", fields=NO_LENGTH[how])
    for _ in range(2):
        answer = own.head(large.target)
        assert (answer.status, answer.length) == (200, SIZE), answer


# ---- never the end -------------------------------------------------------------------

def test_cut_at_the_same_place_for_ever(start, origin, large):
    """Bytes that are here already are no progress: it is given up in time, also
    beside others that go well and so keep the endpoint's breaker closed."""
    origin.when(large.pattern, ignores_range=True, cut_at=2 * MIB)
    mirror = start({UPSTREAM: registry_at({"url": origin.url, "link": "wan"})},
                   links={"wan": {"stall": f"{STALL_S}s"}})
    client = in_background(mirror.get, large.target)
    others = origin.load("lib/y", Content())
    numbers = itertools.count()

    def is_over():
        """Brings in another blob, a cold one, each time that it is asked."""
        other = others.add_blob(b"number %d" % next(numbers))
        origin.load("lib/y", others)
        assert mirror.get(f"/v2/lib/y/blobs/{other}").status == 200
        return not client.is_alive()

    wait_until(is_over, what="the fill to be given up")
    answer = client.join()
    assert (answer.status, answer.ended) == (200, FIN)
    assert answer.body == large.data[:2 * MIB]
    mirror.wait_metric("fills", 0)
    assert mirror.metric("fill_readers") == 0
    assert 2 <= origin.count(large.pattern) <= 10
    origin.heal()
    check_whole(mirror.get(large.target), large.data)
