"""Readers from several upstreams and repositories on one fill: what its own
upstream says of it is no answer to the others.
"""

import pytest

from lib import images
from lib.faulty import Faulty
from lib.images import MIB
from lib.railhead import registry_at
from lib.wait import Gate, in_background, wait_until
from lib.wire import WHOLE

SIZE = 4 * MIB
REFUSALS = [400, 403, 404]


class Pair:
    """The same blob at two upstreams of one mirror; the first refuses it."""

    def __init__(self, refusal, content):
        self.refusal = refusal
        self.data = content.blobs[content.blob]
        self.target = f"/v2/lib/x/blobs/{content.blob}"
        self.servers = {f"{kind}-{refusal}.test": Faulty().start() for kind in ("bad", "good")}
        self.bad, self.good = self.servers.values()
        for server in self.servers.values():
            server.load("lib/x", content)
        self.gate = Gate()
        self.bad.when(f"GET .*{content.blob}", status=refusal, before=self.gate)

    def upstreams(self):
        return {name: registry_at(server.url) for name, server in self.servers.items()}

    def get(self, mirror, kind):
        return mirror.get(f"{self.target}?ns={kind}-{self.refusal}.test")


@pytest.fixture
def pairs(new_blob):
    made = [Pair(refusal, new_blob(SIZE)) for refusal in REFUSALS]
    yield made
    for pair in made:
        for server in pair.servers.values():
            server.stop()


@pytest.mark.threads
def test_fill_that_its_own_upstream_refuses(start, pairs):
    """All refusals at once."""
    mirror = start({name: at for pair in pairs for name, at in pair.upstreams().items()})
    firsts = [in_background(pair.get, mirror, "bad") for pair in pairs]
    for pair in pairs:
        pair.gate.wait_arrival()
    joined = [in_background(pair.get, mirror, "good") for pair in pairs for _ in range(3)]
    mirror.wait_metric("fill_readers", len(firsts) + len(joined))
    for pair in pairs:
        assert pair.good.seen == []  # nobody needed it so far
        pair.gate.open()
    for pair, first in zip(pairs, firsts):
        answer = first.join()
        assert answer.status >= 400 and answer.error_code(), (pair.refusal, answer)
    for number, client in enumerate(joined):
        answer = client.join()
        pair = pairs[number // 3]
        assert (answer.status, answer.ended) == (200, WHOLE), (pair.refusal, answer)
        assert answer.body == pair.data
    for pair in pairs:
        assert pair.good.count("GET .*blobs") == 1
    mirror.wait_metric("fill_readers", 0)


@pytest.fixture
def pair(new_blob):
    made = Pair(503, new_blob(SIZE))
    yield made
    for server in made.servers.values():
        server.stop()


@pytest.mark.threads
def test_readers_of_two_upstreams_of_which_one_is_down(start, pair):
    """Both get the bytes from the one that is well, before the other would be
    asked a second time."""
    mirror = start(pair.upstreams())
    first = in_background(pair.get, mirror, "bad")
    pair.gate.wait_arrival()
    joined = in_background(pair.get, mirror, "good")
    mirror.wait_metric("fill_readers", 2)
    pair.gate.open()
    for client in (first, joined):
        answer = client.join()
        assert (answer.status, answer.ended, answer.body) == (200, WHOLE, pair.data)
    assert pair.bad.count("GET .*blobs") == 1
    assert pair.good.count("GET .*blobs") == 1


@pytest.mark.threads
def test_reader_that_joins_a_rest(start, pair):
    """It is not waited for, however long it would be."""
    pair.bad.when("GET .*blobs", status=503, fields={"Retry-After": "5"})
    mirror = start(pair.upstreams())
    first = in_background(pair.get, mirror, "bad")
    wait_until(lambda: pair.bad.count("GET .*blobs") == 1)
    for _ in range(2):
        answer = pair.get(mirror, "good")
        assert (answer.status, answer.ended, answer.body) == (200, WHOLE, pair.data)
    assert first.join().body == pair.data
    assert pair.bad.count("GET .*blobs") == 1


@pytest.mark.threads
def test_readers_of_two_upstreams_that_are_down(start, pair):
    """Each hears of his own."""
    pair.bad.when("GET .*blobs", status=503)
    pair.good.when("GET .*blobs", status=503)
    mirror = start(pair.upstreams())
    clients = {kind: in_background(pair.get, mirror, kind) for kind in ("bad", "good")}
    for kind, client in clients.items():
        answer = client.join()
        assert answer.status == 503
        assert f"{kind}-503.test".encode() in answer.body, (kind, answer.body)


@pytest.mark.threads
def test_private_upstream_has_no_turn_for_others(start, pair):
    """What it would send is not theirs."""
    good = {**registry_at(pair.good.url), "visibility": "private"}
    mirror = start({**pair.upstreams(), "good-503.test": good})
    first = in_background(pair.get, mirror, "bad")
    pair.gate.wait_arrival()
    joined = in_background(pair.get, mirror, "good")
    wait_until(lambda: pair.good.count("HEAD .*blobs") == 1)
    mirror.wait_metric("fill_readers", 2)
    pair.gate.open()
    assert first.join().status == 503
    assert joined.join().body == pair.data


# ---- two repositories of one upstream ------------------------------------------------

def naming(digest, size):
    """A manifest that says SIZE of the blob DIGEST."""
    row = {"mediaType": images.OCI_LAYER, "digest": digest, "size": size}
    return {"schemaVersion": 2, "mediaType": images.OCI_MANIFEST, "layers": [row],
            "config": {**row, "mediaType": images.OCI_CONFIG}}


@pytest.fixture
def disputed(origin, new_blob):
    """lib/liar's manifest names the size of lib/x's blob wrongly."""
    content = origin.load("lib/x", new_blob(SIZE))
    liar = images.Content()
    liar.blobs = {content.blob: content.blobs[content.blob]}
    liar.tags["1.0"] = liar.add_manifest(images.OCI_MANIFEST, naming(content.blob, 123))
    origin.load("lib/liar", liar)
    content.data = content.blobs[content.blob]
    return content


def test_manifest_that_names_a_wrong_size(own, origin, disputed, new_blob):
    """An error for the one who believes it; the endpoint did nothing wrong: its
    next blob is not held back until it ends."""
    assert own.get("/v2/lib/liar/manifests/1.0").status == 200
    answer = own.get(f"/v2/lib/liar/blobs/{disputed.blob}")
    assert answer.status in (502, 503) and answer.error_code(), answer
    assert not own.has_blob(disputed.blob)
    other = origin.load("lib/y", new_blob(SIZE))
    fault = origin.when(f"GET .*{other.blob}", pause_at=SIZE // 2)
    with own.wire() as wire:
        wire.request(f"/v2/lib/y/blobs/{other.blob}")
        answer = wire.body(wire.head(), stop_at=MIB)
        fault.gate.open()
        assert wire.body(answer).body == other.blobs[other.blob]
    assert [row["distrusted"] for upstream in own.admin("/v1/upstreams").json()["upstreams"]
            for row in upstream["endpoints"]] == [False]
    assert own.get(f"/v2/lib/x/blobs/{disputed.blob}").body == disputed.data


@pytest.mark.threads
@pytest.mark.parametrize("knows", ["size", "nothing"])
def test_reader_that_joined_a_fill_of_the_wrong_size(own, origin, disputed, knows):
    """The other repository's reader has its own fill when that one fails."""
    gate = Gate()
    assert own.get("/v2/lib/liar/manifests/1.0").status == 200
    if knows == "size":
        assert own.get("/v2/lib/x/manifests/1.0").status == 200
    origin.when(f"GET .*{disputed.blob}", times=1, before=gate)
    first = in_background(own.get, f"/v2/lib/liar/blobs/{disputed.blob}")
    gate.wait_arrival()
    joined = in_background(own.get, f"/v2/lib/x/blobs/{disputed.blob}")
    own.wait_metric("fill_readers", 2)
    gate.open()
    answer = first.join()
    assert answer.status >= 500 or answer.body == disputed.data
    answer = joined.join()
    assert (answer.status, answer.ended, answer.body) == (200, WHOLE, disputed.data)


@pytest.mark.threads
def test_wrong_size_that_joins_a_fill(own, origin, disputed):
    """Whoever came first, with a manifest, is not hurt by what another says."""
    gate = Gate()
    assert own.get("/v2/lib/liar/manifests/1.0").status == 200
    origin.when(f"GET .*{disputed.blob}", times=1, before=gate)
    first = in_background(own.get, f"/v2/lib/x/blobs/{disputed.blob}")
    gate.wait_arrival()
    joined = in_background(own.get, f"/v2/lib/liar/blobs/{disputed.blob}")
    own.wait_metric("fill_readers", 2)
    gate.open()
    answer = first.join()
    assert (answer.status, answer.ended, answer.body) == (200, WHOLE, disputed.data)
    answer = joined.join()
    assert answer.status >= 500 or answer.body == disputed.data
