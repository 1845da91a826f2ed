"""An outage is a delay: readers keep their line, and nothing has failed."""

import pytest

from conftest import UPSTREAM
from lib.images import MIB
from lib.railhead import registry_at, run
from lib.wait import wait_until
from lib.wire import FIN, WHOLE

SIZE = 4 * MIB


@pytest.fixture
def large(origin, new_blob):
    content = origin.load("lib/x", new_blob(SIZE))
    content.data = content.blobs[content.blob]
    content.target = f"/v2/lib/x/blobs/{content.blob}"
    return content


@pytest.fixture
def over(start, origin):
    def make(**link):
        return start({UPSTREAM: registry_at({"url": origin.url, "link": "wan"})},
                     links={"wan": link})
    return make


def upstream_state(mirror):
    text = mirror.admin("/v1/upstreams").body.decode()
    assert "failed" not in text
    return mirror.admin("/v1/upstreams").json()["upstreams"][0]["endpoints"][0]["state"]


def link_state(mirror):
    text = mirror.admin("/v1/links").body.decode()
    assert "failed" not in text
    return mirror.admin("/v1/links").json()["links"][0]["state"]


def test_readers_go_on_when_the_line_is_back(over, origin, large):
    mirror = over(stall="20s")
    assert (upstream_state(mirror), link_state(mirror)) == ("untried", "online")
    origin.when("GET .*blobs", times=1, pause_at=MIB)
    with mirror.wire() as wire:
        wire.request(large.target)
        answer = wire.body(wire.head(), stop_at=MIB - (64 << 10))
        assert (upstream_state(mirror), link_state(mirror)) in [
            ("untried", "online"), ("online", "online")]
        origin.stop()
        wait_until(lambda: (upstream_state(mirror), link_state(mirror)) == ("offline", "offline"))
        assert answer.ended is None
        origin.start()
        wire.body(answer)
        assert (answer.ended, answer.body) == (WHOLE, large.data)
    assert origin.bytes("GET") <= SIZE + MIB // 16
    assert (upstream_state(mirror), link_state(mirror)) == ("online", "online")
    assert mirror.metric("fill_readers_cut_total") == 0


def test_behind_the_watchdog_they_resume_by_range(over, origin, large):
    mirror = over(stall="1s")
    origin.when("GET .*blobs", pause_at=MIB)
    with mirror.wire() as wire:
        wire.request(large.target)
        answer = wire.body(wire.head(), stop_at=1000)
        origin.stop()
        wire.body(answer)
        assert answer.ended == FIN
    assert (upstream_state(mirror), link_state(mirror)) == ("offline", "offline")
    origin.heal()
    origin.start()
    have = len(answer.body)
    rest = wait_until(lambda: _good(mirror.get(large.target, range=f"bytes={have}-")))
    assert answer.body + rest.body == large.data
    assert origin.bytes("GET") <= SIZE + MIB // 16


def _good(answer):
    return answer if answer.status == 206 else None


def test_out_of_service_is_no_failure(over, large):
    mirror = over(rate="400Mbit")
    assert run("links", "--config", mirror.config_file, "--link", "wan",
               "--up", "no").returncode == 0
    assert (upstream_state(mirror), link_state(mirror)) == ("offline", "out of service")
    assert mirror.get(large.target).status == 503
