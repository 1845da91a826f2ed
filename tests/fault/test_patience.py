"""Who is asked again, when, how often; and when clients hear that it is no use."""

import time

import pytest

from conftest import UPSTREAM
from lib import images
from lib.faulty import Faulty
from lib.images import MIB
from lib.railhead import registry_at
from lib.releases import Releases
from lib.wait import Gate, in_background, wait_until
from lib.wire import WHOLE, Wire

CONTAINERD_S = 30       # for the head of an answer
SOON_S = 15             # on a busy machine; with patience it would be 20 or 25


@pytest.fixture
def content(origin, new_seed):
    made = origin.load("lib/x", images.image(size=2 * MIB, how="", tag="1.0", seed=new_seed()))
    made.target = f"/v2/lib/x/blobs/{made.layers[0]}"
    made.data = made.blobs[made.layers[0]]
    return made


def timed(mirror, target, method="GET"):
    began = time.monotonic()
    with Wire(mirror.port, timeout=CONTAINERD_S) as wire:
        return wire.ask(target, method), time.monotonic() - began


# ---- Retry-After ---------------------------------------------------------------------

@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_is_obeyed(own, origin, content, status):
    """The first time: three failures in a row are not waited for."""
    assert own.get("/v2/lib/x/manifests/1.0").status == 200
    origin.when("blobs", times=1, status=status, fields={"Retry-After": "3"})
    answer, took = timed(own, content.target)
    assert (answer.status, answer.body) == (200, content.data)
    assert 2.9 < took < SOON_S
    assert origin.count("GET .*blobs") == 2


@pytest.mark.parametrize("status", [429, 503])
def test_nobody_waits_for_what_is_too_far_away(own, origin, content, status):
    assert own.get("/v2/lib/x/manifests/1.0").status == 200
    origin.when("", status=status, fields={"Retry-After": "3600"})
    for _ in range(3):
        answer, took = timed(own, content.target)
        assert answer.status == 503
        assert took < SOON_S
    assert origin.count("GET .*blobs") == 1


def test_the_next_endpoint_is_asked_meanwhile(start, origin, content):
    with Faulty() as spare:
        spare.load("lib/x", content)
        origin.when("", status=429, fields={"Retry-After": "3600"})
        mirror = start({UPSTREAM: registry_at(origin.url, spare.url)})
        assert mirror.get("/v2/lib/x/manifests/1.0").status == 200
        assert mirror.get(content.target).body == content.data
        assert origin.count() == 1


# ---- back-off ------------------------------------------------------------------------

def test_back_off_grows(own, origin, content):
    """Not once in the time of a hundred immediate tries, and not in step."""
    assert own.get("/v2/lib/x/manifests/1.0").status == 200
    origin.when("blobs", status=500)
    answer, _ = timed(own, content.target)
    assert answer.status == 503
    assert 3 <= origin.count("GET .*blobs") <= 12


def test_one_probe_when_half_open(own, origin, new_blob, content):
    """Fifty stores wait; the upstream that may be back is asked once."""
    own.get("/v2/lib/x/manifests/1.0")
    origin.when("blobs", status=500)
    clients = [in_background(timed, own, content.target)]
    own.wait_metric("breaker_state", 2)
    gate = Gate()
    origin.faults.clear()
    origin.forget()
    origin.when("blobs", before=gate)
    others = [new_blob(1000) for _ in range(20)]
    for other in others:
        origin.load("lib/x", other)
        clients.append(in_background(timed, own, f"/v2/lib/x/blobs/{other.blob}"))
    gate.wait_arrival()
    own.wait_metric("breaker_state", 1)
    assert origin.count("blobs") == 1
    gate.open()
    for client in clients:
        assert client.join()[0].status == 200
    assert own.metric("breaker_state") == 0


# ---- deadlines -------------------------------------------------------------------------

def test_everybody_hears_well_before_containerd_loses_patience(start, origin, content, new_blob):
    """An upstream that takes connections and says nothing; a HEAD that is
    answered late, and a GET behind it that is not at all."""
    origin.when("", before=Gate())
    mirror = start({UPSTREAM: registry_at(origin.url)})
    targets = ["/v2/lib/x/manifests/1.0", content.target, "/v2/lib/x/tags/list",
               f"/v2/lib/x/manifests/{content.top}"]
    clients = [in_background(timed, mirror, target) for target in targets]
    late = in_background(timed, mirror, "/v2/lib/x/manifests/1.0", "HEAD")
    for client in [*clients, late]:
        answer, took = client.join()
        assert answer.status == 503
        assert took < CONTAINERD_S - 2


def test_a_late_head_does_not_begin_a_new_patience(start, origin, content):
    gate = Gate()
    origin.when("GET .*manifests", before=Gate())
    origin.when("HEAD .*manifests", before=gate)
    mirror = start({UPSTREAM: registry_at(origin.url)})
    client = in_background(timed, mirror, "/v2/lib/x/manifests/1.0")
    gate.wait_arrival()
    began = time.monotonic()
    wait_until(lambda: time.monotonic() - began > 10)
    gate.open()
    answer, took = client.join()
    assert answer.status == 503
    assert took < CONTAINERD_S - 2


def test_who_comes_later_does_not_make_others_wait_longer(start, origin, new_blob):
    """Patience is the first one's: else each that joins would prolong it."""
    content = origin.load("lib/x", new_blob(MIB))
    target = f"/v2/lib/x/blobs/{content.blob}"
    origin.when("blobs", before=Gate())
    mirror = start({UPSTREAM: registry_at(origin.url)}, serve_loops=2)
    first = in_background(timed, mirror, target)
    mirror.wait_metric("fill_readers", 1)
    others = []
    while first.is_alive():
        others.append(in_background(timed, mirror, target))
        next_at = time.monotonic() + 1
        wait_until(lambda: time.monotonic() > next_at)
    assert first.join()[0].status == 503
    for client in others:
        client.join()


def test_progress_ends_back_off(own, origin, new_blob):
    """A line that breaks every megabyte is asked again at once, each time."""
    content = origin.load("lib/x", new_blob(8 * MIB))
    for at in range(7 * MIB, 0, -MIB):
        origin.when("GET .*blobs", times=1, cut_at=at)
    answer = own.get(f"/v2/lib/x/blobs/{content.blob}")
    assert (answer.ended, answer.body) == (WHOLE, content.blobs[content.blob])
    own.stop()
    assert not [line for line in own.log().splitlines()
                if content.blob in line and '"to":"rest"' in line]


# ---- others meanwhile ----------------------------------------------------------------

def test_client_that_joins_the_rest_of_a_release(own, origin, content):
    """It hears at once that it is no use; a release would wait for minutes."""
    origin.when("GET .*blobs", status=503, fields={"Retry-After": "120"})
    releases = Releases(own, UPSTREAM)
    releases.put("r1", releases.reference("lib/x", content.top))
    wait_until(lambda: origin.count(f"GET .*{content.layers[0]}") == 1)
    answer, took = timed(own, content.target)
    assert answer.status == 503
    assert took < SOON_S


def test_silent_endpoint_of_an_unknown_blob(start, origin, content):
    """The next is asked before clients lose patience."""
    gate = Gate()
    with Faulty() as spare:
        spare.load("lib/x", content)
        origin.when("GET .*blobs", before=gate)
        mirror = start({UPSTREAM: registry_at(origin.url, spare.url)})
        answer, _ = timed(mirror, content.target)
        gate.open()
        assert (answer.status, answer.body) == (200, content.data)


def test_who_comes_after_the_patience_of_others(own, origin, new_seed):
    """The question is still under way: its answer is for who waits then."""
    content = origin.load("lib/x", images.image(layers=6, size=1000, seed=new_seed()))
    data = content.manifests[content.top][1]
    assert 23 < len(data) / 50 < 38   # longer than the 20 s of patience
    origin.when("GET .*manifests", rate=50)
    target = f"/v2/lib/x/manifests/{content.top}"
    answer, _ = timed(own, target)
    assert answer.status == 503
    answer, _ = timed(own, target)
    assert (answer.status, answer.body) == (200, data)
    assert origin.count("GET .*manifests") == 1
