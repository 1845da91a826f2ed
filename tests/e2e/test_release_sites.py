"""How far the sites are with a release: seen, not yet, failing."""

import json

import pytest

from conftest import UPSTREAM
from lib import images
from lib.railhead import registry_at, run
from lib.releases import Releases
from lib.wait import wait_until

REPOSITORIES = ["lib/a", "lib/b", "lib/c"]
RULES = [{"match": "store-1*", "ring": "one"}, {"match": "store-2*", "ring": "two"}]


@pytest.fixture
def contents(origin):
    made = {name: images.image(layers=1, seed=700 + number, tag="1.0")
            for number, name in enumerate(REPOSITORIES)}
    for name, content in made.items():
        origin.load(name, content)
    return made


@pytest.fixture
def warmed(start, origin, contents):
    """A mirror with release r1; one of its images is listed twice."""
    mirror = start({UPSTREAM: registry_at(origin.url)}, sites=RULES)
    releases = Releases(mirror, UPSTREAM)
    listed = [releases.reference(name, content.tags["1.0"]) for name, content in contents.items()]
    releases.put("r1", *listed, f"{UPSTREAM}/lib/a:1.0@{contents['lib/a'].tags['1.0']}")
    releases.wait_state("r1", "ready")
    return mirror


def get(mirror, site, repository, reference):
    return mirror.get(f"/v2/{repository}/manifests/{reference}", x_railhead_site=site).status


def pull(mirror, site, contents, *repositories):
    for name in repositories:
        assert get(mirror, site, name, contents[name].tags["1.0"]) == 200


def ask(mirror, query="", release="r1"):
    answer = mirror.admin(f"/v1/releases/{release}/sites{query}")
    assert answer.status == 200, answer
    return answer.json()


def states(mirror, query=""):
    return {site["name"]: (site["state"], site["images_pulled"])
            for site in ask(mirror, query)["sites"]}


def test_seen_not_yet_failing(warmed, contents):
    pull(warmed, "store-11", contents, *REPOSITORIES)
    pull(warmed, "store-12", contents, "lib/b")
    assert get(warmed, "store-13", "lib/a", "1.0") == 200  # by its tag
    assert warmed.get("/v2/", x_railhead_site="store-21").status == 200
    pull(warmed, "store-22", contents, "lib/a")
    assert get(warmed, "store-22", "lib/b", images.digest_of(b"not pushed")) == 404
    want = {"store-11": ("seen", 3), "store-12": ("seen", 1), "store-13": ("seen", 1),
            "store-21": ("not_yet", 0), "store-22": ("failing", 1)}
    wait_until(lambda: states(warmed) == want, what=f"{want}, not {states(warmed)}")
    answer = ask(warmed)
    assert (answer["release"], answer["images"], answer["next"]) == ("r1", 3, None)
    assert answer["rings"][1:] == [
        {"ring": "one", "sites": 3, "seen": 3, "not_yet": 0, "failing": 0},
        {"ring": "two", "sites": 2, "seen": 0, "not_yet": 1, "failing": 1}]
    assert states(warmed, "?state=failing") == {"store-22": ("failing", 1)}
    assert states(warmed, "?ring=one&limit=1&after=store-11") == {"store-12": ("seen", 1)}
    mine, = ask(warmed, "?site=store-12")["sites"]
    assert [bool(image["pulled_at"]) for image in mine["pulled"]] == [False, True, False, False]
    assert mine["last_image_at"] == mine["pulled"][1]["pulled_at"]


def test_another_release_and_none(warmed, contents, origin):
    """What of a new release was pulled with the one before is pulled."""
    pull(warmed, "store-11", contents, "lib/a")
    wait_until(lambda: states(warmed))
    new = origin.load("lib/d", images.image(layers=1, seed=790, tag="1.0"))
    releases = Releases(warmed, UPSTREAM)
    releases.put("r2", releases.reference("lib/a", contents["lib/a"].tags["1.0"]),
                 releases.reference("lib/d", new.tags["1.0"]))
    answer = ask(warmed, release="r2")
    assert (answer["images"], answer["sites"][0]["images_pulled"]) == (2, 1)
    assert warmed.admin("/v1/releases/r3/sites").status == 404
    assert warmed.admin("/v1/releases/-/sites").status == 400
    for query in ("?state=silent", "?digest=sha256:00", "?limit=x"):
        assert warmed.admin(f"/v1/releases/r1/sites{query}").status == 400


def test_restart(warmed, contents):
    pull(warmed, "store-11", contents, *REPOSITORIES)
    warmed.restart()
    wait_until(lambda: warmed.admin("/v1/releases/r1/sites").status == 200)
    assert states(warmed) == {"store-11": ("seen", 3)}


def test_command(warmed, contents):
    pull(warmed, "store-11", contents, "lib/a", "lib/c")
    assert warmed.get("/v2/", x_railhead_site="store-21").status == 200
    wait_until(lambda: len(states(warmed)) == 2)
    sites = lambda *words: run("sites", "--config", warmed.config_file, "--release", *words)
    shown = sites("r1").stdout
    assert "two: 1 sites, 1 not yet, 0 seen, 0 failing\n" in shown
    assert ", 2 of 3 images\n" in shown
    only = json.loads(sites("r1", "--state", "not_yet", "--json").stdout)
    assert [site["name"] for site in only["sites"]] == ["store-21"]
    assert sites("r9").returncode == 2
