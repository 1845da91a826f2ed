"""Sites: who was seen when, pulled what, and how it went."""

import json

import pytest

from conftest import UPSTREAM
from lib import images
from lib.ports import free_port
from lib.railhead import registry_at, run
from lib.wait import wait_until
from lib.wire import Wire, trusting

RULES = [{"match": "store-1*", "ring": "one"}, {"match": "store-2*", "ring": "two"},
         {"match": "127.0.0.0/8", "ring": "lab"}]


@pytest.fixture(scope="module")
def image():
    return images.image(layers=2, seed=71, tag="1.0")


@pytest.fixture
def ringed(origin, start, image):
    origin.load("lib/app", image)
    return start({UPSTREAM: registry_at(origin.url)}, sites=RULES)


def pull(mirror, content, name=None, fields=None):
    """As containerd does: the tag's digest, then all that it names."""
    fields = fields or ({"X-Railhead-Site": name} if name else {})
    with mirror.wire() as wire:
        digest = wire.ask("/v2/lib/app/manifests/1.0", "HEAD", fields)["Docker-Content-Digest"]
        answers = [wire.ask(f"/v2/lib/app/manifests/{digest}", "GET", fields)]
        answers += [wire.ask(f"/v2/lib/app/blobs/{blob}", "GET", fields)
                    for blob in content.blobs]
    assert [answer.status for answer in answers] == [200] * len(answers)
    return sum(len(answer.body) for answer in answers)


def listed(mirror, query=""):
    answer = mirror.admin(f"/v1/sites{query}")
    assert answer.status == 200, answer
    return answer.json()


def named(mirror, name):
    found = [site for site in listed(mirror)["sites"] if site["name"] == name]
    return found[0] if found else None


def wait_site(mirror, name, **want):
    """Notes come home within a second or so."""
    def is_there():
        site = named(mirror, name)
        return site if site and all(site[key] == want[key] for key in want) else None
    return wait_until(is_there, what=f"{name} with {want}")


def ring_of(answer, name):
    return next(ring for ring in answer["rings"] if ring["ring"] == name)


# ---- who was seen -------------------------------------------------------------------

@pytest.mark.threads
def test_stores_behind_one_address(ringed, image):
    sizes = {name: pull(ringed, image, name) for name in ("store-11", "store-12", "store-21")}
    top = image.tags["1.0"]
    for name, size in sizes.items():
        site = wait_site(ringed, name, requests=2 + len(image.blobs))
        assert site["bytes"] == size
        assert (site["errors"], site["state"]) == (0, "seen")
        assert (site["named_by"], site["address"]) == ("header", "127.0.0.1")
        assert site["ring"] == {"1": "one", "2": "two"}[name[6]]
        assert site["last_pulled"]["reference"] == f"{UPSTREAM}/lib/app@{top}"
        assert site["last_pulled"]["at"] == site["last_seen_at"]
        assert site["last_error"] is None
    answer = listed(ringed, f"?digest={top}&ring=one")
    assert [site["name"] for site in answer["sites"]] == ["store-11", "store-12"]
    assert all(site["pulled_at"] for site in answer["sites"])
    assert ring_of(answer, "two") == {"ring": "two", "sites": 1, "seen": 1, "silent": 0,
                                      "failing": 0}
    nobody = images.digest_of(b"nobody has this")
    assert listed(ringed, f"?digest={nobody}")["sites"] == []


def test_what_is_no_name_is_its_address(ringed, image):
    for name in ["store 1", "10.9.8.7", "a" * 65, "store-1, store-2", "st\xf6re", ""]:
        assert ringed.get("/v2/lib/app/manifests/1.0", x_railhead_site=name).status == 200
    site = wait_site(ringed, "127.0.0.1", requests=6)
    assert (site["named_by"], site["ring"]) == ("address", "lab")
    assert len(listed(ringed)["sites"]) == 1
    assert ringed.metric("requests_total", kind="tag", ring="lab") == 6


def test_a_certificate_is_believed_before_a_header(start, origin, image, authority,
                                                   server_certificate):
    origin.load("lib/app", image)
    port = free_port()
    mirror = start({UPSTREAM: registry_at(origin.url)}, sites=RULES,
                   listen=[{"address": f"127.0.0.1:{port}", "tls": {
                       "certificate": str(server_certificate.crt),
                       "key": str(server_certificate.key),
                       "client_ca": str(authority.ca.crt)}}])
    for name in ("store-19", "store nineteen"):
        shown = authority.issue(name, is_client=True)
        with Wire(port, tls=trusting(authority, shown)) as wire:
            answer = wire.ask("/v2/lib/app/manifests/1.0",
                              fields={"X-Railhead-Site": "store-2"})
            assert answer.status == 200
    assert wait_site(mirror, "store-19")["named_by"] == "certificate"
    assert wait_site(mirror, "127.0.0.1")["named_by"] == "address"
    assert named(mirror, "store-2") is None


def test_pings_are_seen(ringed):
    assert ringed.get("/v2/", x_railhead_site="store-1").status == 200
    site = wait_site(ringed, "store-1", requests=1)
    assert site["last_pulled"] is None and site["last_error"] is None


# ---- how it went --------------------------------------------------------------------

def test_failing_is_not_silent(ringed, origin, image):
    """One site fails, one was only seen; the first comes right again."""
    pull(ringed, image, "store-11")
    top = image.tags["1.0"]
    asked = "/v2/lib/app/manifests/2.0"
    origin.when("GET|HEAD .*manifests/2.0", status=500)
    assert ringed.get(asked, x_railhead_site="store-12").status == 503
    site = wait_site(ringed, "store-12", state="failing")
    assert (site["errors"], site["last_error"]["status"]) == (1, 503)
    assert site["last_error"]["reference"] == f"{UPSTREAM}/lib/app:2.0"
    failing = listed(ringed, "?state=failing")
    assert [site["name"] for site in failing["sites"]] == ["store-12"]
    assert ring_of(failing, "one") == {"ring": "one", "sites": 2, "seen": 1, "silent": 0,
                                       "failing": 1}
    # That something else goes well does not help the image that is wanted.
    assert ringed.get(f"/v2/lib/app/manifests/{top}", x_railhead_site="store-12").status == 200
    wait_site(ringed, "store-12", state="failing", requests=2)
    origin.heal()
    image_2 = images.image(layers=1, seed=72, tag="2.0")
    origin.load("lib/app", image_2)
    wait_until(lambda: ringed.get(asked, x_railhead_site="store-12").status == 200)
    site = wait_site(ringed, "store-12", state="seen")
    assert site["last_error"]["status"] == 503


def test_who_hangs_up_does_not_fail(ringed, origin, new_blob):
    large = origin.load("lib/app", new_blob(8 * images.MIB))
    with ringed.wire(receive_buffer=4096) as wire:
        wire.request(f"/v2/lib/app/blobs/{large.blob}", fields={"X-Railhead-Site": "store-1"})
        wire.body(wire.head(), stop_at=1000)
    site = wait_site(ringed, "store-1", requests=1)
    assert (site["state"], site["errors"]) == ("seen", 0)
    assert site["bytes"] < 8 * images.MIB


# ---- pages --------------------------------------------------------------------------

def test_pages(ringed):
    names = [f"store-{number}" for number in range(100, 230)]
    with ringed.wire() as wire:
        for name in names:
            wire.ask("/v2/", fields={"X-Railhead-Site": name})
    wait_until(lambda: len(listed(ringed, "?limit=1000")["sites"]) == 130)
    seen, after = [], ""
    while after is not None:
        page = listed(ringed, f"?limit=50{after}")
        seen += [site["name"] for site in page["sites"]]
        after = page["next"] and f"&after={page['next']}"
    assert seen == names
    assert listed(ringed, "?after=store-228x")["sites"][0]["name"] == "store-229"
    assert listed(ringed, "?after=zzz") == {**listed(ringed), "sites": [], "next": None}
    assert len(listed(ringed, "?ring=two")["sites"]) == 30


@pytest.mark.threads
def test_two_thousand_sites(ringed):
    """More than are walked over at once; some who ask hang up meanwhile."""
    names = [f"store-{number}" for number in range(1000, 3000)]
    ask = "GET /v2/ HTTP/1.1\r\nHost: x\r\nX-Railhead-Site: {}\r\n\r\n"
    with ringed.wire() as wire:
        for name in names:  # pipelined
            wire.send(ask.format(name).encode())
        for name in names:
            assert wire.body(wire.head()).status == 200
    wait_until(lambda: ring_of(listed(ringed), "two")["sites"] == 1000)
    for _ in range(50):
        with Wire(ringed.admin_port) as wire:
            wire.request("/v1/sites?limit=1000")
            wire.reset()
    assert ringed.metric("site_pulls_lost_total") == 0
    page = listed(ringed, "?limit=1000&ring=two")
    assert [site["name"] for site in page["sites"]] == names[1000:]
    assert page["next"] is None


@pytest.mark.parametrize("query, field", [
    ("?limit=0", "limit"), ("?limit=1001", "limit"), ("?state=offline", "state"),
    ("?digest=sha256:1", "digest"), ("?rings=one", "rings")])
def test_wrong_queries(mirror, query, field):
    answer = mirror.admin(f"/v1/sites{query}")
    assert answer.status == 400
    assert answer.json()["errors"][0]["field"] == field


# ---- restarts and reloads -----------------------------------------------------------

@pytest.mark.threads
def test_restart(ringed, image):
    pull(ringed, image, "store-11")
    before = wait_site(ringed, "store-11", requests=2 + len(image.blobs))
    ringed.get("/v2/", x_railhead_site="store-12")  # may not have come home yet
    ringed.restart()
    assert named(ringed, "store-11") == before
    assert named(ringed, "store-12")["requests"] == 1
    digest = image.tags["1.0"]
    assert len(listed(ringed, f"?digest={digest}")["sites"]) == 1
    ringed.stop()
    state = ringed.store / "state" / "sites"
    state.write_bytes(state.read_bytes()[:-1])
    ringed.start()
    assert "the sites start anew" in ringed.log()
    assert listed(ringed)["sites"] == []


def test_rings_after_a_reload(ringed):
    ringed.get("/v2/", x_railhead_site="store-11")
    wait_site(ringed, "store-11", ring="one")
    ringed.config["sites"] = [{"match": "127.0.0.1", "ring": "here"},
                              {"match": "store-*", "ring": "one"}]
    ringed.reload()
    wait_site(ringed, "store-11", ring="here")
    assert [ring["ring"] for ring in listed(ringed)["rings"]] == ["", "here", "one"]


# ---- the command --------------------------------------------------------------------

def test_command(ringed, image):
    sites = lambda *words: run("sites", "--config", ringed.config_file, *words)
    assert "no such site" in sites().stdout
    pull(ringed, image, "store-11")
    assert ringed.get("/v2/lib/app/manifests/9", x_railhead_site="store-21").status == 404
    wait_site(ringed, "store-11", requests=2 + len(image.blobs))
    wait_site(ringed, "store-21", state="failing")
    shown = sites().stdout
    assert "one: 1 sites, 1 seen, 0 silent, 0 failing\n" in shown
    assert f"pulled {UPSTREAM}/lib/app@sha256:" in shown
    assert f"failed {UPSTREAM}/lib/app:9 at " in shown and "(404)" in shown
    assert "store-11" not in sites("--state", "failing").stdout
    only = json.loads(sites("--ring", "two", "--json").stdout)
    assert [site["name"] for site in only["sites"]] == ["store-21"]
    assert sites("--state", "gone").returncode == 2
    assert sites("--digest", "1").returncode == 2
    assert run("sites", "--admin", f"http://127.0.0.1:{free_port()}").returncode == 3
