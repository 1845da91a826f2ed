"""A warmed release is pulled with the WAN cut: nothing of it is asked for outside."""

import json

import pytest

from conftest import UPSTREAM
from lib import images
from lib.clients import Containerd, good, is_installed
from lib.faulty import Faulty
from lib.railhead import Railhead, registry_at, run
from lib.region import Region, can_be_made
from lib.wait import wait_until

pytestmark = [
    pytest.mark.skipif(not can_be_made(), reason="needs root, for a network namespace"),
    pytest.mark.skipif(not is_installed("containerd", "ctr"), reason="needs containerd")]


@pytest.fixture
def region():
    with Region() as made:
        yield made


@pytest.fixture
def release():
    """What one image is made of, by repository."""
    return {"lib/app": images.multi_arch(tag="1.0", seed=910),
            "lib/till": images.image(layers=3, size=1 << 20, seed=920, tag="2.1"),
            "team/deep/signs": images.image(layers=2, how="zstd", seed=930, tag="latest")}


@pytest.fixture
def upstream(region, release):
    server = Faulty()
    server.host = region.outside
    for repository, content in release.items():
        server.load(repository, content)
    with server:
        yield server


def top_of(content):
    return next(iter(content.tags.values()))


def reference(repository, content):
    return f"{UPSTREAM}/{repository}@{top_of(content)}"


def warm(mirror, release):
    listed = {"platforms": ["linux/amd64"],
              "images": [{"image": reference(*image)} for image in release.items()]}
    done = run("warm", "r1", "-f", "-", "--wait", "--config", mirror.config_file,
               stdin=json.dumps(listed))
    assert done.returncode == 0, done.stdout + done.stderr


def ask_gate(mirror):
    """Only what the stores have pulled by now can open it."""
    return run("gate", "r1", "--config", mirror.config_file, "--require-ratio",
               "--min-requests", 10, "--min-hit-ratio", 1)


def point(daemon, mirror, name):
    done = run("hosts", "--config", mirror.config_file, "--site", name, "--fallback", "no",
               "--mirror", f"http://127.0.0.1:{mirror.port}", "--out", daemon.hosts_dir)
    assert done.returncode == 0, done.stderr


def sites_of(mirror, query=""):
    return mirror.admin(f"/v1/releases/r1/sites{query}").json()


def test_containerd_pulls_a_warmed_release_with_the_wan_cut(tmp_path, region, upstream, release):
    rings = [{"match": "store-*", "ring": "two"}]
    with region.entered(), \
            Railhead(tmp_path / "mirror", {UPSTREAM: registry_at(upstream.url)},
                     sites=rings) as mirror, \
            Containerd(tmp_path / "containerd") as containerd:
        point(containerd, mirror, "store-7")
        warm(mirror, release)
        assert mirror.get("/v2/", x_railhead_site="store-8").status == 200
        wait_until(lambda: len(sites_of(mirror)["sites"]) == 1)
        assert ask_gate(mirror).returncode == 1
        region.cut()
        asked, carried = len(upstream.seen), region.bytes_on_wan()
        before = mirror.metrics()

        for image in release.items():
            good(containerd.pull(reference(*image), "--platform", "linux/amd64"))

        after = mirror.metrics()
        assert (len(upstream.seen), region.bytes_on_wan()) == (asked, carried)
        for name in ("upstream_requests_total", "upstream_bytes_total", "upstream_errors_total"):
            assert after.sum(name) == before.sum(name)
        for result in ("join", "miss", "stale", "error"):
            assert after.sum("requests_total", result=result) == 0
        assert after.sum("requests_total", result="hit", ring="two") > 10
        assert after.sum("hit_ratio", by="requests", window="5m") == 1
        assert after.sum("hit_ratio", by="bytes", window="5m") == 1
        told(mirror, release)
        done = ask_gate(mirror)
        assert done.returncode == 0, done.stdout + done.stderr


def told(mirror, release):
    """One store has it all; one is there, but has nothing of it."""
    wait_until(lambda: sites_of(mirror, "?state=seen")["sites"])
    answer = wait_until(lambda: all_in(mirror, "store-7", len(release)))
    assert (answer["release"], answer["images"]) == ("r1", len(release))
    assert answer["rings"][1] == {"ring": "two", "sites": 2, "seen": 1, "not_yet": 1,
                                  "failing": 0}
    behind, = sites_of(mirror, "?state=not_yet&ring=two")["sites"]
    assert (behind["name"], behind["images_pulled"]) == ("store-8", 0)
    pulled = sites_of(mirror, "?site=store-7")["sites"][0]["pulled"]
    assert [image["image"] for image in pulled] == [reference(*image)
                                                    for image in release.items()]
    assert all(image["pulled_at"] for image in pulled)


def all_in(mirror, name, count):
    answer = sites_of(mirror)
    site = next((site for site in answer["sites"] if site["name"] == name), None)
    return answer if site and site["images_pulled"] == count else None
