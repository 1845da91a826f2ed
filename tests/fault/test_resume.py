"""Transfers that break go on where they ended: with If-Range, behind redirects
whose URLs have expired, and where Range is not understood."""

import itertools

import pytest

from conftest import UPSTREAM
from lib.faulty import Faulty
from lib.images import MIB
from lib.railhead import registry_at
from lib.server import Reply
from lib.wait import in_background
from lib.wire import WHOLE

SIZE = 4 * MIB


@pytest.fixture
def large(origin, new_blob):
    content = origin.load("lib/x", new_blob(SIZE))
    content.data = content.blobs[content.blob]
    content.target = f"/v2/lib/x/blobs/{content.blob}"
    content.pattern = f"GET .*{content.blob}"
    return content


@pytest.fixture
def spare(large):
    with Faulty() as server:
        server.load("lib/x", large)
        yield server


def check_whole(answer, content):
    assert (answer.status, answer.ended, answer.body) == (200, WHOLE, content.data)


def asked(server):
    return [(request["Range"], request["If-Range"]) for request in server.requests("GET")]


# ---- validators --------------------------------------------------------------------

def test_a_strong_validator_is_shown(own, origin, large):
    origin.when(large.pattern, fields={"ETag": '"v1"'})
    origin.when(large.pattern, times=1, cut_at=MIB, fields={"ETag": '"v1"'})
    check_whole(own.get(large.target), large)
    assert asked(origin) == [(None, None), (f"bytes={MIB}-", '"v1"')]


@pytest.mark.parametrize("etag", ['W/"v1"', None, "v1"])
def test_a_weak_one_is_not(own, origin, large, etag):
    origin.when(large.pattern, times=1, cut_at=MIB, fields={"ETag": etag})
    check_whole(own.get(large.target), large)
    assert asked(origin)[1] == (f"bytes={MIB}-", None)


def test_the_next_endpoint_is_not_shown_it(start, origin, spare, large):
    """It may call the same bytes otherwise, and would send all of them again."""
    origin.when(large.pattern, status=503)
    origin.when(large.pattern, times=1, cut_at=MIB, fields={"ETag": '"mine"'})
    mirror = start({UPSTREAM: registry_at(origin.url, spare.url)})
    check_whole(mirror.get(large.target), large)
    assert asked(spare) == [(f"bytes={MIB}-", None)]
    assert origin.bytes("GET") + spare.bytes("GET") == SIZE


def test_a_name_that_changes_with_each_answer(own, origin, large):
    """Nodes of a CDN: asked once more without If-Range, hardly a byte twice."""
    names = itertools.count()
    for at in (3 * MIB, 2 * MIB, MIB):
        origin.when(large.pattern, times=1, cut_at=at, fields={"ETag": f'"{next(names)}"'})
    check_whole(own.get(large.target), large)
    assert sum(shown is not None for _, shown in asked(origin)) == 1
    assert [span for span, _ in asked(origin)] == [
        None, f"bytes={MIB}-", f"bytes={MIB}-", f"bytes={3 * MIB}-"]


def test_two_versions_under_one_name_are_never_mixed(own, origin, large, new_blob):
    """The bytes change and the validator says so: the digest decides."""
    origin.when(large.pattern, fields={"ETag": '"new"'})
    origin.when(large.pattern, times=1, cut_at=MIB, wrong_at=10, fields={"ETag": '"old"'})
    answer = own.get(large.target)
    assert answer.ended != WHOLE
    check_whole(own.get(large.target), large)
    assert own.metric("fill_broken_total", reason="digest") == 1


# ---- redirects -----------------------------------------------------------------------

def test_an_expired_redirect_is_asked_for_again(own, origin, spare, large):
    """Each URL is good for one request, as if it had expired since."""
    numbers, used = itertools.count(), set()

    def sign(request):
        if "blobs" not in request.path:
            return None
        return Reply(307, {"Location": f"{spare.url}{request.target}&key={next(numbers)}"})

    def check_key(request):
        key = request.query.get("key")
        if key is None or key in used:
            return Reply(403)
        return used.add(key)

    origin.guard, spare.guard = sign, check_key
    for at in (3 * MIB, MIB):
        spare.when(large.pattern, times=1, cut_at=at)
    check_whole(own.get(large.target), large)
    assert [request.status for request in spare.requests("GET")] == [200, 206, 206]
    assert spare.bytes("GET") == SIZE
    etag = f'"{large.blob}"'
    assert asked(spare) == [(None, None), (f"bytes={MIB}-", etag), (f"bytes={3 * MIB}-", etag)]


def test_a_redirect_that_is_refused_at_once(own, origin, spare, large):
    """The storage's no is not the registry's: it is asked again."""
    origin.guard = lambda request: (
        Reply(307, {"Location": spare.url + request.target})
        if "blobs" in request.path else None)
    spare.when(large.pattern, times=2, status=403)
    check_whole(own.get(large.target), large)


# ---- Range ignored -------------------------------------------------------------------

def test_bytes_that_are_here_are_not_written_again(own, origin, large):
    """A byte that is changed in the draft meanwhile stays as it is."""
    origin.when(large.pattern, ignores_range=True)
    stall = origin.when(large.pattern, times=1, pause_at=2 * MIB, cut_at=2 * MIB)
    client = in_background(own.get, large.target)
    own.wait_metric("upstream_bytes_total", 2 * MIB)
    draft = own.store / "drafts" / large.blob.replace(":", "-")
    with open(draft, "r+b") as file:
        file.seek(MIB)
        file.write(bytes([large.data[MIB] ^ 0xff]))
        file.flush()
        stall.gate.open()
        client.join()
        file.seek(MIB)
        assert file.read(1) != large.data[MIB:MIB + 1]
    assert origin.requests("GET")[1].sent == SIZE


def test_cut_again_and_again_where_range_is_ignored(own, origin, large):
    origin.when(large.pattern, ignores_range=True)
    for at in (3 * MIB, 2 * MIB, MIB):
        origin.when(large.pattern, times=1, ignores_range=True, cut_at=at)
    check_whole(own.get(large.target), large)
    own.wait_stored(1)
    assert own.blob_file(large.blob).read_bytes() == large.data


# ---- our own restarts ----------------------------------------------------------------

def test_over_a_restart_at_the_next_endpoint(start, origin, spare, large):
    origin.when(large.pattern, times=1, pause_at=2 * MIB)
    mirror = start({UPSTREAM: registry_at(origin.url, spare.url)}, limits={"drain": "0s"})
    client = in_background(mirror.get, large.target)
    mirror.wait_metric("upstream_bytes_total", 2 * MIB)
    mirror.stop()
    client.join()
    origin.stop()
    mirror.start()
    check_whole(mirror.get(large.target), large)
    assert asked(spare) == [(f"bytes={2 * MIB}-", None)]
