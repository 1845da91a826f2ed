"""A blob is cold, filling or stored: the same request gets the same status,
the same headers and the same bytes."""

import pytest

from lib import images
from lib.wait import Gate

SIZE = 2 * images.MIB
HALF = images.MIB
STATES = ["cold", "filling", "stored"]

# Range, the bytes of a blob of SIZE that it means; 416: none; None: ignored
RANGES = [
    ("bytes=0-", (0, SIZE)),
    ("bytes=0-0", (0, 1)),
    ("bytes=5-9", (5, 10)),
    ("bytes=65536-131071", (65536, 131072)),
    (f"bytes={HALF}-", (HALF, SIZE)),
    (f"bytes={SIZE - 1}-", (SIZE - 1, SIZE)),
    (f"bytes=0-{SIZE * 9}", (0, SIZE)),
    (f"bytes=100-{SIZE - 1}", (100, SIZE)),
    ("bytes=-1", (SIZE - 1, SIZE)),
    ("bytes=-70000", (SIZE - 70000, SIZE)),
    (f"bytes=-{SIZE * 3}", (0, SIZE)),
    ("Bytes=3-4", (3, 5)),
    (f"bytes={SIZE}-", 416),
    (f"bytes={SIZE}-{SIZE + 5}", 416),
    ("bytes=-0", 416),
    ("bytes=18446744073709551616-", 416),
    ("bytes=5-3", None),
    ("bytes=a-b", None),
    ("bytes=", None),
    ("bytes", None),
    ("bytes=-", None),
    ("bytes=--5", None),
    ("bytes=0-1,5-6", None),
    ("items=0-5", None),
]


class Scene:
    """A blob in one of the states."""

    def __init__(self, mirror, upstream, content, state):
        self.digest, self.data = content.blob, content.blobs[content.blob]
        self.target = f"/v2/lib/state/blobs/{self.digest}"
        self.mirror, self.fault, self.first = mirror, None, None
        upstream.load("lib/state", content)
        if state == "stored":
            assert mirror.get(self.target).body == self.data
        if state == "filling":
            self.fault = upstream.when(f"GET .*{self.digest}", pause_at=HALF)
            self.first = mirror.wire()
            self.first.request(self.target)
            self.fault.gate.wait_arrival()

    def finish(self):
        """Lets the upstream go on."""
        if self.fault:
            self.fault.gate.open()

    def close(self):
        self.finish()
        if self.first:
            assert self.first.body(self.first.head()).body == self.data
            self.first.close()


@pytest.fixture
def scene(mirror, upstream, new_blob):
    scenes = []

    def arrange(state):
        scenes.append(Scene(mirror, upstream, new_blob(SIZE), state))
        return scenes[-1]

    yield arrange
    for each in scenes:
        each.close()


@pytest.mark.parametrize("text, meaning", RANGES, ids=[text for text, _ in RANGES])
@pytest.mark.parametrize("state", STATES)
def test_range(mirror, scene, state, text, meaning):
    blob = scene(state)
    with mirror.wire() as wire:
        wire.request(blob.target, fields={"Range": text})
        answer = wire.head()    # comes before the fill has ended
        blob.finish()
        wire.body(answer)
        check_range(answer, blob, meaning)
        assert wire.ask("/v2/").status == 200


def check_range(answer, blob, meaning):
    assert answer["Docker-Content-Digest"] == blob.digest or meaning == 416
    if meaning == 416:
        assert answer.status == 416
        assert answer["Content-Range"] == f"bytes */{SIZE}"
        return
    start, end = meaning or (0, SIZE)
    assert answer.status == (206 if meaning else 200)
    assert answer.length == end - start
    assert answer["Content-Range"] == (f"bytes {start}-{end - 1}/{SIZE}" if meaning else None)
    assert answer["Accept-Ranges"] == "bytes"
    assert answer.body == blob.data[start:end]


@pytest.mark.parametrize("state", STATES)
def test_range_of_a_head_is_ignored(mirror, scene, state):
    blob = scene(state)
    answer = mirror.head(blob.target, range="bytes=0-4")
    assert (answer.status, answer.length) == (200, SIZE)
    assert answer["Content-Range"] is None


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("condition, is_same", [
    ('"{digest}"', True), ('W/"{digest}"', True), ('"a", "{digest}" , "b"', True),
    ("*", True), ('"sha256:other"', False), ("{digest}", False), ('"a", "b"', False)])
def test_if_none_match(mirror, scene, state, method, condition, is_same):
    blob = scene(state)
    with mirror.wire() as wire:
        wire.request(blob.target, method,
                     {"If-None-Match": condition.format(digest=blob.digest)})
        answer = wire.head(is_head=method == "HEAD")
        blob.finish()
        wire.body(answer)
        assert answer.status == (304 if is_same else 200)
        assert answer["ETag"] == f'"{blob.digest}"'
        assert answer.body == (blob.data if method == "GET" and not is_same else b"")
        assert wire.ask("/v2/").status == 200


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("condition, is_same", [
    ('"{digest}"', True), ('"other"', False), ('W/"{digest}"', False),
    ("Sun, 22 Nov 2026 09:00:00 GMT", False)])
def test_if_range(mirror, scene, state, condition, is_same):
    blob = scene(state)
    with mirror.wire() as wire:
        wire.request(blob.target, fields={
            "Range": "bytes=10-19", "If-Range": condition.format(digest=blob.digest)})
        answer = wire.head()
        blob.finish()
        wire.body(answer)
        check_range(answer, blob, (10, 20) if is_same else None)


@pytest.mark.parametrize("state", STATES)
def test_plain_get_and_head(mirror, scene, state):
    blob = scene(state)
    head = mirror.head(blob.target)
    assert (head.status, head.length) == (200, SIZE)
    with mirror.wire() as wire:
        wire.request(blob.target)
        answer = wire.head()
        blob.finish()
        assert wire.body(answer).body == blob.data
        names = {name for name, _ in answer.fields} - {"Date", "Connection"}
        assert names == {name for name, _ in head.fields} - {"Date", "Connection"}


def test_head_of_a_cold_blob_starts_no_fill(own, origin, new_blob):
    content = origin.load("lib/x", new_blob(SIZE))
    target = f"/v2/lib/x/blobs/{content.blob}"
    assert own.head(target).length == SIZE
    assert origin.count("HEAD") >= 1
    assert origin.count("GET") == 0
    assert own.drafts() == []


@pytest.mark.threads
def test_heads_of_a_cold_blob_are_one(own, origin, new_blob):
    content = origin.load("lib/x", new_blob(SIZE))
    gate = Gate()
    origin.when("HEAD .*blobs", before=gate)
    wires = [own.wire() for _ in range(40)]
    for wire in wires:
        wire.request(f"/v2/lib/x/blobs/{content.blob}", "HEAD")
    gate.wait_arrival()
    own.wait_read(len(wires))
    gate.open()
    assert {wire.head(is_head=True).length for wire in wires} == {SIZE}
    for wire in wires:
        wire.close()
    # One that was read may still be between two threads: few, not one.
    assert origin.count("HEAD .*blobs") <= 6
    assert origin.count("GET") == 0


@pytest.mark.parametrize("text", ["bytes=0-", "bytes=0-4", "bytes=-5"])
def test_range_of_a_manifest(mirror, upstream, text):
    """Clients ask for manifests with a Range too; 200 and 206 both work."""
    content = upstream.load("lib/ranged", images.image(size=64, tag="1.0"))
    _, data = content.manifests[content.top]
    answer = mirror.get(f"/v2/lib/ranged/manifests/{content.top}", range=text)
    assert answer.status in (200, 206)
    if answer.status == 200:
        assert answer.body == data
    else:
        first, last = answer["Content-Range"].split()[1].split("/")[0].split("-")
        assert answer.body == data[int(first):int(last) + 1]


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("by", ["tag", "digest"])
def test_if_none_match_of_a_manifest(mirror, upstream, method, by):
    content = upstream.load("lib/conditional", images.image(size=64, tag="1.0"))
    reference = content.top if by == "digest" else "1.0"
    target = f"/v2/lib/conditional/manifests/{reference}"
    with mirror.wire() as wire:
        same = wire.ask(target, method, {"If-None-Match": f'"{content.top}"'})
        assert (same.status, same.body) == (304, b"")
        other = wire.ask(target, method, {"If-None-Match": '"sha256:other"'})
        assert other.status == 200
