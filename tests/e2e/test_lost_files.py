"""Files of the store that are gone, or that can't be opened just now."""

import os
import resource

import pytest

from lib import images
from lib.images import MIB
from lib.wait import in_background, wait_until
from lib.wire import WHOLE

INDEX_KEEPS = 64 << 10   # larger manifests are read from their files


# ---- manifests --------------------------------------------------------------------

@pytest.fixture
def large(own, origin):
    """A manifest that the index does not keep, stored; lib/x:1.0."""
    content = images.Content()
    content.top = content.add_manifest(images.OCI_INDEX, {
        "schemaVersion": 2, "mediaType": images.OCI_INDEX, "manifests": [],
        "annotations": {"filler": "x" * (INDEX_KEEPS + 1000)}})
    content.tags["1.0"] = content.top
    content.data = content.manifests[content.top][1]
    origin.load("lib/x", content)
    wait_until(lambda: own.get("/v2/lib/x/manifests/1.0").body == content.data
               and own.metric("requests_total", kind="tag", result="hit") > 0)
    return content


def damage(path, how):
    if how == "missing":
        path.unlink()
    elif how == "short":
        os.truncate(path, 1000)
    else:
        path.unlink()
        path.mkdir()


def check_is_stored(mirror, origin, content):
    """When all is written down, without anybody to ask."""
    mirror.stop()
    mirror.start()
    origin.stop()
    for reference in ("1.0", content.top):
        assert mirror.get(f"/v2/lib/x/manifests/{reference}").body == content.data
    assert mirror.blob_file(content.top).read_bytes() == content.data


@pytest.mark.parametrize("how", ["missing", "short", "a-folder"])
@pytest.mark.parametrize("by", ["tag", "digest"])
def test_large_manifest_without_its_file(own, origin, large, by, how):
    """It is fetched again for the one who asks: no early end, no error."""
    target = f"/v2/lib/x/manifests/{'1.0' if by == 'tag' else large.top}"
    damage(own.blob_file(large.top), how)
    before = origin.count(f"GET .*manifests/{large.top}")
    answer = own.get(target)
    assert (answer.status, answer.ended, answer.body) == (200, WHOLE, large.data)
    assert answer["Docker-Content-Digest"] == large.top
    assert answer["Content-Type"] == images.OCI_INDEX
    assert origin.count(f"GET .*manifests/{large.top}") == before + 1
    check_is_stored(own, origin, large)


def test_many_ask_for_a_large_manifest_without_its_file(own, origin, large):
    own.blob_file(large.top).unlink()
    clients = [in_background(own.get, f"/v2/lib/x/manifests/{reference}")
               for reference in ("1.0", large.top) * 5]
    for client in clients:
        answer = client.join()
        assert (answer.status, answer.ended, answer.body) == (200, WHOLE, large.data)
    assert origin.count(f"GET .*manifests/{large.top}") <= 1 + len(clients)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_large_manifest_that_nobody_has_any_more(own, origin, large, method):
    """An answer of its own, on a line that goes on."""
    own.blob_file(large.top).unlink()
    origin.when("manifests", status=404)
    with own.wire() as wire:
        answer = wire.ask(f"/v2/lib/x/manifests/{large.top}", method)
        assert (answer.status, answer.ended) == (404, WHOLE)
        if method == "GET":
            assert answer.error_code() == "MANIFEST_UNKNOWN"
        assert wire.ask("/v2/").status == 200


# ---- no descriptors left -----------------------------------------------------------

class Descriptors:
    """How many files a mirror may open."""

    def __init__(self, pid):
        self.pid = pid
        self.limits = resource.prlimit(pid, resource.RLIMIT_NOFILE)

    def take_all(self):
        """Not one more, whatever is closed meanwhile; 0, 1 and 2 are open."""
        resource.prlimit(self.pid, resource.RLIMIT_NOFILE, (3, self.limits[1]))

    def give_back(self):
        resource.prlimit(self.pid, resource.RLIMIT_NOFILE, self.limits)


CLIENTS = 20


def test_no_descriptor_for_a_stored_file(own, origin, large, new_blob):
    """It is not the file's fault: 503, and all is well when there are some."""
    blob = origin.load("lib/y", new_blob(2 * MIB))
    data = blob.blobs[blob.blob]
    assert own.get(f"/v2/lib/y/blobs/{blob.blob}").body == data
    own.wait_stored(2)
    wanted = {f"/v2/lib/y/blobs/{blob.blob}": data,
              f"/v2/lib/x/manifests/{large.top}": large.data}
    origin.forget()
    wires = [own.wire() for _ in range(CLIENTS)]
    assert all(wire.ask("/v2/").status == 200 for wire in wires)
    descriptors = Descriptors(own.daemon.pid)
    descriptors.take_all()
    for target in wanted:
        for answer in [wire.ask(target) for wire in wires]:
            assert (answer.status, answer.ended) == (503, WHOLE), answer
            assert answer.error_code() == "UNAVAILABLE"
    descriptors.give_back()
    assert list((own.store / "quarantine").iterdir()) == []
    hits = own.metric("requests_total", result="hit")
    for target, bytes_ in wanted.items():
        for answer in [wire.ask(target) for wire in wires]:
            assert (answer.status, answer.ended, answer.body) == (200, WHOLE, bytes_)
    assert own.metric("requests_total", result="hit") == hits + 2 * CLIENTS
    assert own.metric("corrupt_total") == 0
    assert origin.seen == []
    for wire in wires:
        wire.close()


def test_no_descriptor_for_anything_new(own, origin, new_blob):
    """A cold blob can't be brought in, a new client waits; both can later."""
    blob = origin.load("lib/y", new_blob(2 * MIB))
    target = f"/v2/lib/y/blobs/{blob.blob}"
    wire = own.wire()
    assert wire.ask("/v2/").status == 200
    descriptors = Descriptors(own.daemon.pid)
    descriptors.take_all()
    late = in_background(own.get, "/v2/")
    answer = wire.ask(target)
    assert 500 <= answer.status < 600 and answer.error_code(), answer
    descriptors.give_back()
    assert late.join().status == 200
    assert wire.ask(target).body == blob.blobs[blob.blob]
    wire.close()
