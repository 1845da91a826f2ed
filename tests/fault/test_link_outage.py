"""Links that go, come back, change their rate by the clock, or are spent: on real lines,
whose own counters say what crossed."""

import datetime

import pytest

from conftest import UPSTREAM
from lib.images import MIB
from lib.meter import Meter
from lib.railhead import registry_at, run
from lib.sinks import Crowd, get
from lib.wait import in_background, wait_until
from lib.wire import WHOLE

OVERHEAD = 1.05
SIZE = 6 * MIB


@pytest.fixture
def new_large(new_blob):
    """The same at all of ORIGINS."""
    def make(*origins, size=SIZE):
        content = new_blob(size)
        for origin in origins:
            origin.load("lib/x", content)
        content.data = content.blobs[content.blob]
        content.target = f"/v2/lib/x/blobs/{content.blob}"
        return content
    return make


def link_of(mirror, name="wan"):
    listed = mirror.admin("/v1/links").json()["links"]
    return next(link for link in listed if link["name"] == name)


def bytes_of(answer):
    return len(answer.body)


# ---- the line is gone for a while ----------------------------------------------------

@pytest.mark.threads
def test_readers_outlast_an_outage(start, far, new_large):
    """They keep their connection, and all is offline meanwhile, nothing failed."""
    origin = far("40mbit", is_plain=True)
    large = new_large(origin)
    mirror = start({UPSTREAM: registry_at({"url": origin.url, "link": "wan"})},
                   links={"wan": {"rate": "16Mbit", "stall": "12s"}})
    readers = [in_background(mirror.get, large.target) for _ in range(5)]
    wait_until(lambda: origin.wan.payload_down() > MIB)
    origin.wan.cut()
    wait_until(lambda: link_of(mirror)["state"] == "offline")
    assert "failed" not in mirror.admin("/v1/upstreams").body.decode()
    assert "wan: offline," in run("links", "--config", mirror.config_file).stdout
    origin.wan.mend()
    for reader in readers:
        answer = reader.join()
        assert (answer.ended, answer.body) == (WHOLE, large.data)
    assert link_of(mirror)["state"] == "online"
    assert mirror.metric("fill_readers_cut_total") == 0
    # A quarter of a second may have been in the kernel, and more on its way.
    assert origin.wan.payload_down() < SIZE + 16 * 125000 * 0.6


# ---- the next endpoint, over another link ----------------------------------------------

def test_the_second_link_takes_over_and_hands_back(start, far, new_large):
    fibre, lte = far("40mbit"), far("40mbit")
    large = new_large(fibre, lte)
    mirror = start({UPSTREAM: registry_at({"url": fibre.url, "link": "fibre"},
                                          {"url": lte.url, "link": "lte"})},
                   links={"fibre": {"rate": "16Mbit", "stall": "9s"},
                          "lte": {"rate": "16Mbit"}})
    reader = in_background(mirror.get, large.target)
    wait_until(lambda: fibre.wan.payload_down() > MIB)
    assert lte.wan.payload_down() < 1000
    fibre.wan.cut()
    answer = reader.join()
    assert (answer.ended, answer.body) == (WHOLE, large.data)
    carried = fibre.wan.payload_down()
    assert lte.wan.payload_down() < SIZE - carried + 16 * 125000 * 0.6
    assert link_of(mirror, "fibre")["state"] == "offline"

    fibre.wan.mend()

    def is_back():
        """Each new blob is a question to the first endpoint again, once its breaker lets it."""
        fresh = new_large(fibre, lte, size=MIB // 4)
        assert mirror.get(fresh.target).body == fresh.data
        return fibre.wan.payload_down() > carried + MIB // 4
    wait_until(is_back)
    before = lte.wan.payload_down()
    last = new_large(fibre, lte, size=MIB)
    assert mirror.get(last.target).body == last.data
    assert lte.wan.payload_down() - before < 1000
    assert link_of(mirror, "fibre")["state"] == "online"


# ---- windows -------------------------------------------------------------------------

def test_a_window_opens_by_the_clock(start, far, new_large):
    """At the next full minute, in the zone of the link: the rate on the line falls."""
    origin = far("80mbit")
    large = new_large(origin, size=64 * MIB)
    zone = datetime.timezone(datetime.timedelta(hours=5, minutes=45))    # Kathmandu
    opens = datetime.datetime.now(zone) + datetime.timedelta(minutes=1)
    shuts = opens + datetime.timedelta(minutes=10)
    mirror = start(
        {UPSTREAM: registry_at({"url": origin.url, "link": "wan"})},
        links={"wan": {"rate": "2Mbit", "timezone": "Asia/Kathmandu", "windows": [
            {"days": "mon-sun", "from": f"{opens:%H:%M}", "to": f"{shuts:%H:%M}",
             "rate": "30Mbit"}]}})
    with Crowd() as crowd:
        crowd.join(1, mirror.port, get(large.target))
        before = opens.replace(second=0, microsecond=0) - datetime.timedelta(seconds=0.5)
        with Meter(origin.wan.payload_down) as shut:
            crowd.pump(lambda: datetime.datetime.now(zone) > before)
        crowd.pump(lambda: link_of(mirror)["in_window"])
        with Meter(origin.wan.payload_down) as open_:
            crowd.pump(lambda: open_.since() > 4)
    assert link_of(mirror)["rate"] == 30 * 125000
    assert shut.lead(2 * 125000 / OVERHEAD) < 0.6
    assert open_.per_second(1, 4) * OVERHEAD > 0.6 * 30 * 125000
    assert open_.lead(30 * 125000 / OVERHEAD) < 0.6


# ---- quotas --------------------------------------------------------------------------

def test_no_more_than_the_quota_crosses(start, far, new_large):
    """Over four kills in mid-transfer; then there is a clear answer."""
    quota = 16 * MIB
    origin = far("200mbit")
    large = new_large(origin, size=2 * quota)
    mirror = start({UPSTREAM: registry_at({"url": origin.url, "link": "lte"})},
                   links={"lte": {"rate": "80Mbit", "stall": "2s",
                                  "quota": {"bytes": "16MiB"}}})
    for _ in range(4):
        before = origin.wan.payload_down()
        with Crowd() as crowd:
            crowd.join(1, mirror.port, get(large.target))
            crowd.pump(lambda: origin.wan.payload_down() - before > MIB)
            mirror.kill()
        mirror.start()
    answer = mirror.get(large.target)
    assert answer.status == 200 and bytes_of(answer) < 2 * quota
    crossed = origin.wan.payload_down()
    assert mirror.get(new_large(origin).target).status == 503
    assert 0.6 * quota < crossed * OVERHEAD <= quota
    assert origin.wan.payload_down() == crossed
    assert link_of(mirror, "lte")["quota"]["left"] < MIB
