"""Releases: brought in before anybody asks, and kept."""

import json
import time

from lib import images
from lib.railhead import registry_at
from lib.releases import Releases
from lib.wait import wait_until
import pytest

UPSTREAM = "registry.test"


@pytest.fixture
def releases(own):
    return Releases(own, UPSTREAM)


def test_a_release_is_brought_in_once(origin, own, releases, new_seed):
    app = origin.load("team/app", images.multi_arch(seed=new_seed()))
    reference = releases.reference("team/app", app.top)
    releases.put("r1", reference, platforms=["linux/amd64"])
    done = releases.wait_state("r1", "ready")
    print(done)
    assert done["digests_missing"] == 0 and done["bytes_missing"] == 0
    assert origin.count("arm64") == 0


def test_what_is_shared_comes_once(origin, own, releases, new_seed):
    seed = new_seed()
    one = origin.load("team/one", images.image(seed=seed))
    origin.load("team/two", images.image(seed=seed, annotations={"n": "2"}))
    two = images.image(seed=seed, annotations={"n": "2"})
    releases.put("r1", releases.reference("team/one", one.top))
    releases.put("r2", releases.reference("team/two", two.top))
    releases.wait_state("r1", "ready")
    releases.wait_state("r2", "ready")
    for digest in one.blobs:
        assert origin.count(f"GET .*{digest}") == 1, digest


def test_stores_are_served_without_the_upstream(origin, own, releases, new_seed):
    app = origin.load("team/app", images.multi_arch(seed=new_seed()))
    releases.put("r1", releases.reference("team/app", app.top))
    done = releases.wait_state("r1", "ready")
    assert done["bytes"] == app.unique_bytes()
    origin.forget()
    for digest in app.manifests:
        assert own.get(f"/v2/team/app/manifests/{digest}").status == 200
    for digest in app.blobs:
        assert own.get(f"/v2/team/app/blobs/{digest}").status == 200
    assert origin.count() == 0


def test_a_platform_that_is_not_there(origin, own, releases, new_seed):
    app = origin.load("team/app", images.multi_arch(seed=new_seed()))
    reference = releases.reference("team/app", app.top)
    platforms = ["linux/amd64", "linux/s390x"]
    releases.put("strict", {"image": reference, "platforms": platforms})
    found = releases.wait_state("strict", "failed")
    image = found["list"][0]
    assert image["state"] == "failed" and image["why"]["code"] == "platform_missing"
    assert "linux/s390x" in image["why"]["text"]
    releases.put("easy", {"image": reference, "platforms": platforms,
                          "platforms_optional": True})
    releases.wait_state("easy", "ready")


def test_one_bad_digest_fails_alone(origin, own, releases, new_seed):
    app = origin.load("team/app", images.image(seed=new_seed()))
    bad = "sha256:" + "0" * 64
    releases.put("r1", releases.reference("team/app", app.top),
                 releases.reference("team/app", bad))
    found = releases.wait_state("r1", "failed")
    states = [image["state"] for image in found["list"]]
    assert states == ["ready", "failed"]
    assert found["list"][1]["why"]["code"] == "MANIFEST_UNKNOWN"


def test_an_upstream_that_is_down_is_waited_for(origin, own, releases, new_seed):
    app = origin.load("team/app", images.image(seed=new_seed()))
    origin.stop()
    releases.put("r1", releases.reference("team/app", app.top))
    releases.wait_state("r1", "waiting", timeout=40)
    origin.start()
    releases.say("r1", "retry")
    releases.wait_state("r1", "ready", timeout=60)


def test_a_link_out_of_service_is_waited_for(origin, start, new_seed):
    mirror = start({UPSTREAM: registry_at({"url": origin.url, "link": "wan"})},
                   links={"wan": {"rate": "1Mbit"}})
    releases = Releases(mirror, UPSTREAM)
    app = origin.load("team/app", images.image(seed=new_seed(), layers=1, size=4 << 20))
    releases.put("r1", releases.reference("team/app", app.top))
    releases.wait_state("r1", "warming")
    assert releases.ask("/v1/links/wan", "PATCH", {"up": False}).status == 200
    releases.wait_state("r1", "waiting")
    assert releases.ask("/v1/links/wan", "PATCH", {"up": True, "rate": "unlimited"}).status == 200
    releases.say("r1", "retry")
    releases.wait_state("r1", "ready", timeout=60)


def test_a_restart_goes_on(origin, own, releases, new_seed):
    app = origin.load("team/app", images.image(seed=new_seed()))
    late = origin.load("team/late", images.image(seed=new_seed()))
    fault = origin.when(f"blobs/{late.layers[0]}", status=503)
    releases.put("r1", releases.reference("team/app", app.top))
    releases.put("r2", releases.reference("team/late", late.top), priority=7)
    before = releases.wait_state("r1", "ready")
    own.restart()
    after = releases.wait_state("r1", "ready")
    for key in ("accepted_at", "begun_at", "ready_at", "digests", "bytes"):
        assert after[key] == before[key], key
    assert releases.state("r2") != "ready"
    origin.faults.remove(fault)
    releases.say("r2", "retry")
    releases.wait_state("r2", "ready", timeout=60)


def test_lost_content_is_noticed_and_brought_back(origin, own, releases, new_seed):
    app = origin.load("team/app", images.image(seed=new_seed()))
    releases.put("r1", releases.reference("team/app", app.top))
    releases.wait_state("r1", "ready")
    lost = app.layers[1]
    own.blob_file(lost).unlink()
    origin.forget()
    releases.say("r1", "verify")
    releases.wait_state("r1", "ready")
    assert own.has_blob(lost)
    assert origin.count(f"GET .*{lost}") == 1


def test_a_corrupt_blob_is_found_by_its_hash(origin, own, releases, new_seed):
    app = origin.load("team/app", images.image(seed=new_seed()))
    releases.put("r1", releases.reference("team/app", app.top))
    releases.wait_state("r1", "ready")
    file = own.blob_file(app.layers[0])
    good = file.read_bytes()
    file.write_bytes(bytes([good[0] ^ 1]) + good[1:])
    releases.say("r1", "verify")
    releases.wait_state("r1", "ready")
    assert file.read_bytes() == good


def test_the_same_list_again_changes_nothing(origin, own, releases, new_seed):
    app = origin.load("team/app", images.image(seed=new_seed()))
    releases.put("r1", releases.reference("team/app", app.top))
    before = releases.wait_state("r1", "ready")
    releases.put("r1", releases.reference("team/app", app.top))
    assert releases.get("r1")["accepted_at"] == before["accepted_at"]
    assert releases.state("r1") == "ready"


def test_another_list_keeps_what_is_shared(origin, own, releases, new_seed):
    one = origin.load("team/one", images.image(seed=new_seed()))
    two = origin.load("team/two", images.image(seed=new_seed()))
    releases.put("r1", releases.reference("team/one", one.top))
    releases.wait_state("r1", "ready")
    origin.forget()
    releases.put("r1", releases.reference("team/one", one.top),
                 releases.reference("team/two", two.top))
    done = releases.wait_state("r1", "ready")
    assert done["digests"] == sum(
        len(of.blobs) + len(of.manifests) for of in (one, two))
    assert origin.count("team/one") == 0
    releases.put("r1", releases.reference("team/two", two.top))
    done = releases.wait_state("r1", "ready")
    assert done["digests"] == len(two.blobs) + len(two.manifests)


def test_referrers_come_along(origin, own, releases, new_seed):
    app = origin.load("team/app", images.image(seed=new_seed()))
    bill = origin.load("team/app", images.artifact(
        app.descriptor(app.top), payload=b'{"sbom": %d}' % new_seed()))
    releases.put("r1", releases.reference("team/app", app.top), referrers=True)
    done = releases.wait_state("r1", "ready")
    assert done["digests"] == len(app.blobs) + len(bill.blobs) + 2
    origin.stop()
    assert own.get(f"/v2/team/app/manifests/{bill.top}").status == 200
    origin.start()


def test_held_frozen_and_deleted(origin, own, releases, new_seed):
    app = origin.load("team/app", images.image(seed=new_seed()))
    gate = origin.when(f"manifests/{app.top}", status=503)
    releases.put("r1", releases.reference("team/app", app.top))
    releases.ask("/v1/releases/r1/hold", "POST", {"reason": "not yet"})
    found = releases.wait_state("r1", "held")
    assert found["why"]["code"] == "held"
    origin.faults.remove(gate)
    releases.say("r1", "resume")
    assert releases.ask("/v1/freeze", "PUT", {"reason": "stop it"}).status == 200
    frozen = releases.wait_state("r1", "held")
    assert frozen["why"]["code"] == "frozen"
    assert releases.ask("/v1/freeze", "DELETE").status in (200, 204)
    releases.say("r1", "retry")
    releases.wait_state("r1", "ready", timeout=60)
    releases.delete("r1")
    assert releases.ask("/v1/releases/r1").status == 404
    own.restart()
    assert releases.ask("/v1/releases/r1").status == 404


def test_tags_are_pinned_to_digests_when_asked(origin, own, releases, new_seed):
    app = origin.load("team/app", images.image(seed=new_seed(), tag="v1"))
    row = f"{UPSTREAM}/team/app:v1"
    answer = releases.ask("/v1/releases/r1", "PUT", {"images": [{"image": row}]})
    assert answer.status == 400
    releases.put("r1", row, resolve_tags=True)
    done = releases.wait_state("r1", "ready")
    assert app.top in done["list"][0]["image"]


def test_metrics(origin, own, releases, new_seed):
    app = origin.load("team/app", images.image(seed=new_seed()))
    releases.put("r1", releases.reference("team/app", app.top))
    releases.wait_state("r1", "ready")
    own.wait_metric("release_images", 1, release="r1", state="ready")
    own.wait_metric("release_ready_timestamp_seconds", lambda at: at > 0, release="r1")
    assert own.metric("mirror_lag_seconds") == 0
    releases.delete("r1")
    own.wait_metric("release_images", 0, release="r1")


def slow_mirror(origin, start, **link):
    mirror = start({UPSTREAM: registry_at({"url": origin.url, "link": "wan"})},
                   links={"wan": {"rate": "8Mbit", **link}})
    return mirror, Releases(mirror, UPSTREAM)


def change_link(releases, **how):
    assert releases.ask("/v1/links/wan", "PATCH", how).status == 200


def test_a_link_without_prewarm_is_for_pulls(origin, start, new_seed):
    mirror, releases = slow_mirror(origin, start, prewarm="off")
    app = origin.load("team/app", images.image(seed=new_seed(), layers=1))
    releases.put("r1", releases.reference("team/app", app.top))
    found = releases.wait_state("r1", "pending")
    wait_until(lambda: releases.get("r1")["why"], what="a reason")
    assert releases.get("r1")["why"]["code"] == "window", found
    assert origin.count() == 0
    assert mirror.get(f"/v2/team/app/manifests/{app.top}").status == 200
    assert mirror.get(f"/v2/team/app/blobs/{app.layers[0]}").status == 200
    change_link(releases, prewarm="8Mbit")
    releases.wait_state("r1", "ready")
    assert origin.count(f"GET .*{app.layers[0]}") == 1


def test_a_pull_of_the_same_digest_speeds_it_up(origin, start, new_seed):
    mirror, releases = slow_mirror(origin, start, rate="unlimited", prewarm="200kbit")
    app = origin.load("team/app", images.image(seed=new_seed(), layers=1, size=4 << 20))
    releases.put("r1", releases.reference("team/app", app.top))
    wait_until(lambda: releases.get("r1")["bytes_coming"] > 0, what="bytes that come")
    whole = mirror.get(f"/v2/team/app/blobs/{app.layers[0]}")
    assert whole.status == 200 and len(whole.body) == len(app.blobs[app.layers[0]])
    releases.wait_state("r1", "ready")
    assert origin.count(f"GET .*{app.layers[0]}") == 1


def test_freeze_stops_what_is_under_way(origin, start, new_seed):
    mirror, releases = slow_mirror(origin, start)
    app = origin.load("team/app", images.image(seed=new_seed(), layers=1, size=8 << 20))
    releases.put("r1", releases.reference("team/app", app.top))
    wait_until(lambda: releases.get("r1")["bytes_coming"] > 0, what="bytes that come")
    assert releases.ask("/v1/freeze", "PUT", {"reason": "stop it"}).status == 200
    mirror.wait_metric("fills", 0)
    assert releases.wait_state("r1", "held")["why"]["code"] == "frozen"
    assert releases.ask("/v1/freeze", "DELETE").status in (200, 204)
    change_link(releases, rate="unlimited")
    releases.wait_state("r1", "ready")
    assert mirror.metric("fill_resumed_total", **{"class": "prewarm"}) == 1


def test_the_first_in_line_goes_first(origin, start, new_seed):
    """Eight blobs are under way at a time; these are twelve each."""
    mirror, releases = slow_mirror(origin, start, prewarm="off")
    for name, priority in {"low": 1, "high": 9, "middle": 5}.items():
        made = origin.load(f"team/{name}", images.image(seed=new_seed(), layers=12))
        assert mirror.get(f"/v2/team/{name}/manifests/{made.top}").status == 200
        releases.put(name, releases.reference(f"team/{name}", made.top), priority=priority)
        wait_until(lambda: releases.get(name)["digests"] == 14, what="what it consists of")
    change_link(releases, prewarm="unlimited")
    releases.wait_state("high", "ready")
    assert origin.count("GET .*team/low/blobs/") < 8  # those that follow middle's last
    change_link(releases, rate="unlimited")
    for name in ("low", "middle"):
        releases.wait_state(name, "ready")


def test_a_large_index_is_read_from_its_file(origin, own, releases, new_seed):
    app = images.multi_arch(seed=new_seed())
    index = json.loads(app.manifests.pop(app.top)[1])
    index["annotations"] = {"notes": "x" * (100 << 10)}
    app.top = app.add_manifest(images.OCI_INDEX, index)
    origin.load("team/app", app)
    reference = releases.reference("team/app", app.top)
    releases.put("r1", reference, platforms=["linux/arm64"])
    assert releases.wait_state("r1", "ready")["digests"] == 6
    own.restart()
    assert releases.wait_state("r1", "ready")["digests"] == 6


def test_what_is_no_manifest(origin, own, releases, new_seed):
    app = images.image(seed=new_seed())
    app.top = app.add_manifest(images.OCI_MANIFEST, b'{"schemaVersion": 2}')
    origin.load("team/app", app)
    releases.put("r1", releases.reference("team/app", app.top))
    found = releases.wait_state("r1", "failed")
    assert found["list"][0]["why"]["code"] == "manifest_invalid"


def in_seconds(seconds):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + seconds))


@pytest.mark.parametrize("catch_up, state", [("hold", "held"), ("window", "pending")])
def test_offline_across_the_window(origin, own, releases, new_seed, catch_up, state):
    app = origin.load("team/app", images.image(seed=new_seed()))
    origin.stop()
    releases.put("r1", releases.reference("team/app", app.top), catch_up=catch_up,
                 not_before=in_seconds(-60), deadline=in_seconds(12))
    releases.wait_state("r1", "waiting")
    found = releases.wait_state("r1", state)
    assert found["why"]["code"] == "missed_window" and found["missed_window"]
    assert (found["window_at"] is not None) == (catch_up == "window")
    own.restart()
    assert releases.wait_state("r1", state)["missed_window"]
    origin.start()
    releases.say("r1", "resume")
    releases.wait_state("r1", "ready", timeout=60)


def test_down_while_the_window_passed(origin, own, releases, new_seed):
    """The mirror itself was away; what it has by then is not missed."""
    app = origin.load("team/app", images.image(seed=new_seed()))
    late = origin.load("team/late", images.image(seed=new_seed()))
    fault = origin.when("team/late", status=503)
    deadline = in_seconds(5)
    releases.put("here", releases.reference("team/app", app.top), catch_up="hold",
                 deadline=deadline)
    releases.put("late", releases.reference("team/late", late.top), catch_up="hold",
                 deadline=deadline)
    releases.wait_state("here", "ready")
    own.stop()
    origin.faults.remove(fault)
    wait_until(lambda: in_seconds(0) > deadline, what="the deadline")
    own.start()
    assert releases.wait_state("late", "held")["missed_window"]
    assert not releases.wait_state("here", "ready")["missed_window"]
    assert origin.count("GET .*team/late/blobs/") == 0


def test_not_before(origin, own, releases, new_seed):
    app = origin.load("team/app", images.image(seed=new_seed()))
    releases.put("r1", releases.reference("team/app", app.top), not_before=in_seconds(3))
    found = releases.wait_state("r1", "pending")
    assert found["why"]["code"] == "not_before" and origin.count() == 0
    releases.wait_state("r1", "ready")


def test_pins_end_at_pin_until(origin, own, releases, new_seed):
    app = origin.load("team/app", images.image(seed=new_seed()))
    releases.put("r1", releases.reference("team/app", app.top), pin_until=in_seconds(3))
    wait_until(lambda: releases.ask("/v1/releases/r1").status == 404, what="its end")


def test_a_plan_without_a_line_ends(origin, start, new_seed):
    mirror, releases = slow_mirror(origin, start, prewarm="off")
    app = origin.load("team/app", images.image(seed=new_seed()))
    answer = releases.ask("/v1/releases/r1?dry_run=true", "PUT",
                          {"images": [releases.reference("team/app", app.top)]})
    assert answer.status == 200, answer
    assert releases.ask("/v1/releases/r1").status == 404
    assert origin.count() == 0


def test_the_other_line_is_spared(origin, start, new_seed):
    """A second line that gives releases nothing is not waited at."""
    mirror = start({UPSTREAM: registry_at({"url": origin.url, "link": "fibre"},
                                          {"url": origin.url, "link": "lte"})},
                   links={"fibre": {"rate": "4Mbit"}, "lte": {"rate": "4Mbit", "prewarm": "off"}})
    releases = Releases(mirror, UPSTREAM)
    app = origin.load("team/app", images.image(seed=new_seed(), layers=1, size=2 << 20))
    releases.put("r1", releases.reference("team/app", app.top))
    wait_until(lambda: releases.get("r1")["bytes_coming"] > 0, what="bytes that come")
    assert releases.ask("/v1/links/fibre", "PATCH", {"up": False}).status == 200
    releases.wait_state("r1", "waiting")
    assert releases.ask("/v1/links/fibre", "PATCH", {"up": True, "rate": "unlimited"}).status == 200
    releases.wait_state("r1", "ready")
    assert mirror.metric("link_bytes_total", link="lte") == 0


@pytest.mark.parametrize("how", ["kill", "stop"])
def test_ended_while_warming(origin, start, new_seed, how):
    mirror, releases = slow_mirror(origin, start)
    apps = [origin.load(f"team/app{i}", images.image(seed=new_seed(), size=1 << 20))
            for i in range(3)]
    releases.put("r1", *(releases.reference(f"team/app{i}", app.top)
                         for i, app in enumerate(apps)))
    wait_until(lambda: releases.get("r1")["bytes_coming"] > 0, what="bytes that come")
    getattr(mirror, how)()
    mirror.start()
    change_link(releases, rate="unlimited")
    done = releases.wait_state("r1", "ready")
    assert done["digests"] == sum(len(app.blobs) + 1 for app in apps)
    assert done["bytes"] == sum(app.unique_bytes() for app in apps)
