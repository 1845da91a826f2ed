"""What of releases comes when: once, in turn, and held up by no other."""

import json
import time

from lib import images
from lib.railhead import registry_at
from lib.releases import Releases
from lib.wait import Gate, wait_until
import pytest

UPSTREAM = "registry.test"


@pytest.fixture
def releases(own):
    return Releases(own, UPSTREAM)


def in_seconds(seconds):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + seconds))


def dry_run(releases, *references, **more):
    return releases.ask("/v1/releases/r1?dry_run=true", "PUT",
                        {"images": list(references), **more})


def make_large(app, digest):
    """The manifest, over 64 KiB now."""
    kind, data = app.manifests.pop(digest)
    manifest = json.loads(data)
    manifest["annotations"] = {"notes": "x" * (100 << 10)}
    return app.add_manifest(kind, manifest)


# ---- once ---------------------------------------------------------------------------

def test_a_late_manifest_does_not_stop_layers(origin, own, releases, new_seed):
    """Eight blobs are under way at a time: those of the last two."""
    app = images.multi_arch(("amd64", "arm64", "riscv64", "s390x"), seed=new_seed(), layers=3)
    origin.load("team/app", app)
    doors, layers = [], Gate()
    for digest in app.manifests:
        if digest != app.top:
            doors.append(Gate())
            origin.when(f"manifests/{digest}", before=doors[-1])
    origin.when("blobs/", pause_at=100, gate=layers)
    releases.put("r1", releases.reference("team/app", app.top))
    for number, door in enumerate(reversed(doors), 1):
        door.open()
        wait_until(lambda: releases.get("r1")["digests"] == 5 + 4 * number, what="a look")
        if number == 2:
            wait_until(lambda: origin.count("GET .*blobs/") == 8, what="eight blobs")
    layers.open()
    releases.wait_state("r1", "ready")
    for digest in app.blobs:
        assert origin.count(f"GET .*{digest}") == 1, digest


def test_nothing_comes_again_while_the_index_is_made_anew(origin, own, releases, new_seed):
    app = origin.load("team/app", images.multi_arch(seed=new_seed(), layers=8))
    releases.put("r1", releases.reference("team/app", app.top))
    releases.wait_state("r1", "ready")
    own.stop()
    for path in (own.store / "index").iterdir():
        path.unlink()
    for number in range(4000):
        (own.store / "blobs" / "sha256" / f"{number:064x}").write_bytes(b"x")
    origin.forget()
    own.start()
    releases.wait_state("r1", "ready", timeout=60)
    assert origin.count("GET .*blobs/") == 0


# ---- in turn ------------------------------------------------------------------------

def test_one_that_may_not_begin_gives_way(origin, own, releases, new_seed):
    app = origin.load("team/app", images.image(seed=new_seed()))
    reference = releases.reference("team/app", app.top)
    releases.put("later", reference, priority=9, not_before=in_seconds(3600))
    wait_until(lambda: releases.get("later")["digests"] == 1, what="its first look")
    releases.put("now", reference, priority=1)
    releases.wait_state("now", "ready")


def test_one_that_is_held_gives_way(origin, start, new_seed):
    mirror = start({UPSTREAM: registry_at({"url": origin.url, "link": "wan"})},
                   links={"wan": {"rate": "80Mbit", "prewarm": "off"}})
    releases = Releases(mirror, UPSTREAM)
    app = origin.load("team/app", images.image(seed=new_seed()))
    assert mirror.get(f"/v2/team/app/manifests/{app.top}").status == 200
    for name, priority in {"low": 1, "high": 9}.items():
        releases.put(name, releases.reference("team/app", app.top), priority=priority)
        wait_until(lambda: releases.get(name)["digests"] == 5, what="what it consists of")
    mirror.wait_metric("release_images", 1, release="high", state="pending")
    releases.say("high", "hold")
    assert releases.ask("/v1/links/wan", "PATCH", {"prewarm": "unlimited"}).status == 200
    releases.wait_state("low", "ready")


# ---- plans --------------------------------------------------------------------------

def test_a_plan_is_answered_though_its_pins_would_have_ended(origin, own, releases, new_seed):
    app = origin.load("team/app", images.image(seed=new_seed()))
    size = len(app.manifests[app.top][1])
    origin.when(f"manifests/{app.top}", rate=size // 4)
    answer = dry_run(releases, releases.reference("team/app", app.top),
                     pin_until=in_seconds(2))
    assert answer.status == 200 and answer.json()["bytes_known"]


def test_pins_that_would_have_ended_are_refused(origin, own, releases, new_seed):
    app = origin.load("team/app", images.image(seed=new_seed()))
    answer = releases.ask("/v1/releases/r1", "PUT", {
        "images": [releases.reference("team/app", app.top)], "pin_until": in_seconds(-60)})
    assert answer.status == 400
    assert answer.json()["errors"][0]["field"] == "pin_until"


def test_a_plan_reads_large_manifests(origin, own, releases, new_seed):
    app = images.multi_arch(seed=new_seed())
    app.top = make_large(app, app.top)
    origin.load("team/app", app)
    begun = time.monotonic()
    plan = dry_run(releases, releases.reference("team/app", app.top)).json()
    assert time.monotonic() - begun < 20
    assert plan["bytes_known"]
    assert plan["bytes_unique"] >= sum(map(len, app.blobs.values()))


def test_a_large_manifest_in_a_large_index(origin, own, releases, new_seed):
    inner = images.image(seed=new_seed())
    inner.top = make_large(inner, inner.top)
    row = inner.descriptor(inner.top, platform={"architecture": "amd64", "os": "linux"})
    inner.top = inner.add_manifest(images.OCI_INDEX, {
        "schemaVersion": 2, "mediaType": images.OCI_INDEX, "manifests": [row]})
    inner.top = make_large(inner, inner.top)
    origin.load("team/app", inner)
    releases.put("r1", releases.reference("team/app", inner.top))
    releases.wait_state("r1", "ready")
    own.restart()
    releases.wait_state("r1", "ready")


# ---- what passes --------------------------------------------------------------------

def test_an_upstream_that_was_left_out_for_a_while(origin, start, new_seed):
    mirror = start({"other.test": registry_at(origin.url), UPSTREAM: registry_at(origin.url)})
    releases = Releases(mirror, UPSTREAM)
    app = origin.load("team/app", images.image(seed=new_seed()))
    releases.put("r1", releases.reference("team/app", app.top))
    releases.wait_state("r1", "ready")
    kept = mirror.config["upstreams"].pop(UPSTREAM)
    mirror.reload()
    releases.say("r1", "verify")
    found = releases.wait_state("r1", "failed")
    assert found["list"][0]["why"]["code"] == "upstream_unknown"
    mirror.config["upstreams"][UPSTREAM] = kept
    mirror.reload()
    releases.wait_state("r1", "ready")
