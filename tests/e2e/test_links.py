"""Links: rates, classes, quotas, and an operator's word on them."""

import json
import time

import pytest

from conftest import UPSTREAM
from lib.faulty import Faulty
from lib.images import MIB
from lib.ports import free_port
from lib.railhead import registry_at, run
from lib.wait import in_background, wait_until
from lib.wire import WHOLE

SIZE = 4 * MIB
OVERHEAD = 1.05


@pytest.fixture
def new_large(origin, new_blob):
    def make(size=SIZE):
        content = origin.load("lib/x", new_blob(size))
        content.data = content.blobs[content.blob]
        content.target = f"/v2/lib/x/blobs/{content.blob}"
        return content
    return make


@pytest.fixture
def over(start, origin):
    """A mirror whose upstream is reached over a link with these options."""
    def make(**link):
        return start({UPSTREAM: registry_at({"url": origin.url, "link": "wan"})},
                     links={"wan": link})
    return make


def links(mirror, *words):
    return run("links", "--config", mirror.config_file, *words)


def link_of(mirror, name="wan"):
    listed = mirror.admin("/v1/links").json()["links"]
    return next(link for link in listed if link["name"] == name)


def crossed(mirror, kind):
    return mirror.metric("link_bytes_total", link="wan", **{"class": kind})


def leave_half_way(mirror, content):
    with mirror.wire() as wire:
        wire.request(content.target)
        wire.body(wire.head(), stop_at=1000)


# ---- rates -------------------------------------------------------------------------

@pytest.mark.parametrize("mbit, size", [(16, SIZE), (100, 16 * MIB)])
def test_rate(over, new_large, mbit, size):
    large = new_large(size)
    mirror = over(rate=f"{mbit}Mbit")
    began = time.monotonic()
    assert mirror.get(large.target).body == large.data
    took = time.monotonic() - began
    want = size * OVERHEAD / (mbit * 125000)
    assert 0.93 * want < took < 1.25 * want
    assert mirror.metric("link_rate_bytes", link="wan") == mbit * 125000
    assert mirror.metric("link_wait_seconds_total", link="wan") > 0.3


def test_endpoint_without_a_link_is_not_limited(own, new_large):
    large = new_large(16 * MIB)
    assert own.get(large.target).body == large.data
    assert own.metric("link_wait_seconds_total") == 0


def test_rate_changes_under_way(over, new_large):
    large = new_large()
    mirror = over(rate="500kbit")  # a minute
    reader = in_background(mirror.get, large.target)
    mirror.wait_metric("link_bytes_total", lambda sent: sent > 0, link="wan")
    assert links(mirror, "--link", "wan", "--rate", "400Mbit").returncode == 0
    answer = reader.join(timeout=20)
    assert (answer.ended, answer.body) == (WHOLE, large.data)


def test_a_reload_brings_the_configured_rate_back(over):
    mirror = over(rate="8Mbit")
    assert "until the next reload" in links(mirror, "--link", "wan", "--rate", "1Mbit").stdout
    assert link_of(mirror)["rate"] == 125000
    mirror.reload()
    wait_until(lambda: link_of(mirror)["rate"] == 1000000)


# ---- classes -----------------------------------------------------------------------

def test_a_fill_that_nobody_reads_steps_aside(over, new_large):
    left, wanted = new_large(64 * MIB), new_large(8 * MIB)
    mirror = over(rate="32Mbit")
    leave_half_way(mirror, left)
    wait_until(lambda: crossed(mirror, "prewarm") > MIB)
    with mirror.wire() as wire:
        wire.request(wanted.target)
        answer = wire.body(wire.head(), stop_at=1000)
        before = crossed(mirror, "prewarm")
        assert wire.body(answer).body == wanted.data
    # 5 % is kept for it; half would be its own without any order.
    assert crossed(mirror, "prewarm") - before < 0.3 * 8 * MIB


def test_a_fill_that_is_read_again_is_a_pull_at_once(over, new_large):
    """Prewarm may send nothing, yet the store waits no longer than the line takes."""
    large = new_large(2 * MIB)
    mirror = over(rate="16Mbit", prewarm="off")
    leave_half_way(mirror, large)
    wait_until(lambda: link_of(mirror)["classes"]["prewarm"]["transfers"] == 1)
    assert mirror.get(large.target).body == large.data
    assert mirror.metric("upstream_requests_total", code="200") == 1


# ---- out of service ----------------------------------------------------------------

def test_the_next_endpoint_takes_over(start, origin, new_large):
    large = new_large()
    with Faulty() as second:
        second.load("lib/x", large)
        mirror = start({UPSTREAM: registry_at({"url": origin.url, "link": "wan"},
                                              {"url": second.url, "link": "lte"})},
                       links={"wan": {"rate": "8Mbit"}, "lte": {"rate": "400Mbit"}})
        reader = in_background(mirror.get, large.target)
        mirror.wait_metric("link_bytes_total", lambda sent: sent > MIB, link="wan")
        assert links(mirror, "--link", "wan", "--up", "no").returncode == 0
        answer = reader.join(timeout=20)
        assert (answer.ended, answer.body) == (WHOLE, large.data)
        assert mirror.metric("link_bytes_total") < SIZE + MIB // 2
        assert mirror.metric("link_up", link="wan") == 0
        assert "wan: out of service," in links(mirror).stdout
        assert mirror.metric("breaker_state", endpoint=origin.authority) == 0
        links(mirror, "--link", "wan", "--up", "yes")
        again = new_large(MIB // 2)
        second.load("lib/x", again)
        assert mirror.get(again.target).body == again.data
        assert origin.count(f"GET .*{again.blob}") == 1


def test_an_outage_is_a_delay(over, new_large):
    large = new_large()
    mirror = over(rate="16Mbit")
    reader = in_background(mirror.get, large.target)
    mirror.wait_metric("link_bytes_total", lambda sent: sent > MIB, link="wan")
    links(mirror, "--link", "wan", "--up", "no")
    mirror.wait_metric("fill_broken_total", 1, reason="link")
    links(mirror, "--link", "wan", "--up", "yes")
    answer = reader.join(timeout=30)
    assert (answer.ended, answer.body) == (WHOLE, large.data)


# ---- quotas ------------------------------------------------------------------------

def test_quota_over_kills(over, new_large):
    mirror = over(rate="400Mbit", quota={"bytes": "64MiB"})
    left = 64 * MIB
    for _ in range(3):
        large = new_large()
        assert mirror.get(large.target).body == large.data
        now = link_of(mirror)["quota"]["left"]
        assert now <= left - SIZE
        mirror.kill()
        mirror.start()
        wait_until(lambda: link_of(mirror)["quota"]["left"] <= now)
        left = link_of(mirror)["quota"]["left"]


def test_a_spent_quota_stops_the_link(over, origin, new_large):
    mirror = over(rate="400Mbit", stall="1s", quota={"bytes": "4MiB"})
    large = new_large(8 * MIB)
    answer = mirror.get(large.target)
    assert answer.body != large.data
    assert mirror.metric("link_bytes_total", link="wan") <= 4 * MIB / OVERHEAD
    refused = new_large()
    assert mirror.get(refused.target).status == 503
    mirror.wait_log("spent", refused.blob)
    # At once: nobody waits for the next month.
    assert not [line for line in mirror.log().splitlines()
                if refused.blob in line and '"to":"rest"' in line]


# ---- one host, two links -----------------------------------------------------------

@pytest.fixture
def twice(start, origin):
    """One host over two links, of which the first leads nowhere."""
    return start({UPSTREAM: registry_at({"url": origin.url, "link": "fibre"},
                                        {"url": origin.url, "link": "lte"})},
                 links={"fibre": {"proxy": f"http://127.0.0.1:{free_port()}"}, "lte": {}})


def states_of(mirror):
    upstream, = mirror.admin("/v1/upstreams").json()["upstreams"]
    return {each["link"]: (each["state"], each["up"]) for each in upstream["endpoints"]}


def test_one_host_over_two_links(twice, new_large):
    large = new_large()
    assert states_of(twice) == {"fibre": ("untried", True), "lte": ("untried", True)}
    assert twice.get(large.target).body == large.data
    assert states_of(twice) == {"fibre": ("offline", False), "lte": ("online", True)}
    assert twice.admin("/v1/status").json()["upstreams"] == {"up": 1, "down": 0}
    rows = [line.split() for line in run("status", "--config", twice.config_file).stdout.splitlines()]
    assert [row[row.index(link) + 1] for link in ("fibre", "lte") for row in rows if link in row] \
        == ["offline", "online"]


def test_an_endpoint_that_moves_to_another_link(start, origin, new_large):
    """What it says of its link, it says of the one that it has now."""
    config = {"url": origin.url, "link": "fibre"}
    mirror = start({UPSTREAM: registry_at(config)}, links={"fibre": {}, "lte": {}})
    large = new_large()
    origin.stop()
    mirror.get(large.target)
    assert (link_of(mirror, "fibre")["state"], link_of(mirror, "lte")["state"]) \
        == ("offline", "online")
    config["link"] = "lte"
    mirror.reload()
    assert (link_of(mirror, "fibre")["state"], link_of(mirror, "lte")["state"]) \
        == ("online", "offline")
    origin.start()


def test_too_many_links_over_reloads_are_refused(start, origin):
    """And then nothing has changed: the links in force are those of before."""
    mirror = start({UPSTREAM: registry_at({"url": origin.url, "link": "l-0-0"})},
                   links=sixty_four(0))
    for number in range(1, 16):
        mirror.config["links"] = sixty_four(number)
        if number == 15:
            del mirror.config["links"]["l-15-63"]   # room for one
        mirror.config["upstreams"][UPSTREAM]["endpoints"][0]["link"] = f"l-{number}-0"
        mirror.reload()
    assert mirror.metric("config_reloads_total", result="good") == 15
    before = mirror.admin("/v1/links").json()
    mirror.config["links"] = {"fibre": {"rate": "1Mbit"}, "lte": {"rate": "1Mbit"}}
    mirror.config["upstreams"][UPSTREAM]["endpoints"][0]["link"] = "fibre"
    mirror.reload()
    assert mirror.metric("config_reloads_total", result="refused") == 1
    mirror.wait_log("too many names of links")
    assert mirror.admin("/v1/links").json() == before
    mirror.config["links"] = sixty_four(3)
    mirror.config["upstreams"][UPSTREAM]["endpoints"][0]["link"] = "l-3-1"
    mirror.reload()
    assert mirror.metric("config_reloads_total", result="good") == 16
    assert {link["name"] for link in mirror.admin("/v1/links").json()["links"]} \
        == set(sixty_four(3))


def sixty_four(number):
    return {f"l-{number}-{place}": {"rate": f"{number + 8}Mbit"} for place in range(64)}


# ---- many --------------------------------------------------------------------------

def test_all_links_are_listed(start, origin):
    many = {f"lte-{number:03}": {"rate": "8Mbit"} for number in range(64)}
    mirror = start({UPSTREAM: registry_at({"url": origin.url, "link": "lte-063"})}, links=many)
    listed = mirror.admin("/v1/links").json()["links"]
    assert [link["name"] for link in listed] == sorted(many)
    assert links(mirror, "--link", "lte-063", "--rate", "1Mbit").returncode == 0
    assert link_of(mirror, "lte-063")["rate"] == 125000


# ---- who may -----------------------------------------------------------------------

def test_roles_and_nonsense(start, origin, tmp_path):
    tokens = tmp_path / "tokens.yaml"
    tokens.write_text(json.dumps({"tokens": [
        {"name": "anna", "role": "operate", "token": "operator-0123456789"},
        {"name": "grafana", "role": "read", "token": "reader-0123456789"}]}))
    tokens.chmod(0o600)
    mirror = start({UPSTREAM: registry_at({"url": origin.url, "link": "wan"})},
                   links={"wan": {"rate": "8Mbit"}}, admin={"tokens": str(tokens)})
    read, operate = tmp_path / "read", tmp_path / "operate"
    read.write_text("reader-0123456789\n")
    operate.write_text("operator-0123456789\n")
    for path in ["/v1/links/", "/v1/links/wan/x", "/v1/link", "/v1/links/lte"]:
        assert mirror.admin(path, "PATCH", "operator-0123456789").status in (400, 404, 405)
    change = ["--link", "wan", "--rate", "4Mbit", "--token-file"]
    assert links(mirror, "--token-file", read).returncode == 0
    refused = links(mirror, *change, read)
    assert refused.returncode == 2 and "role operate" in refused.stderr
    for words in [["--link", "wan", "--rate", "0"], ["--link", "wan", "--rate", "fast"],
                  ["--link", "lte", "--rate", "1Mbit"], ["--rate", "1Mbit"],
                  ["--link", "wan"], ["--link", "wan", "--up", "maybe"]]:
        assert links(mirror, *words, "--token-file", operate).returncode == 2
    listed = links(mirror, "--token-file", operate, "--json").stdout
    assert json.loads(listed)["links"][0]["rate"] == 1000000
    assert links(mirror, *change, operate).returncode == 0
    mirror.wait_log('"who":"anna at 127.0.0.1:')
