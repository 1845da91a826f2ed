"""Gates: closed with the right reason, open when all is well."""

import json

import pytest

from conftest import UPSTREAM
from lib import images
from lib.railhead import registry_at, run
from lib.releases import Releases
from lib.wait import Gate, in_background, wait_until


class Ring:
    """A mirror with one release on its way."""

    def __init__(self, mirror, origin, seed, **more):
        self.mirror, self.origin = mirror, origin
        self.releases = Releases(mirror, UPSTREAM)
        self.app = origin.load("team/app", images.image(seed=seed, **more))
        self.reference = self.releases.reference("team/app", self.app.top)

    @property
    def url(self):
        return f"http://127.0.0.1:{self.mirror.admin_port}"

    def put(self, **more):
        return self.releases.put("r", self.reference, **more)

    def ready(self, **more):
        self.put(**more)
        self.releases.wait_state("r", "ready")
        return self

    def gate(self, query=""):
        answer = self.releases.ask(f"/v1/releases/r/gate{query}")
        assert answer.status == 200, answer
        return answer.json()

    def codes(self, query=""):
        return [reason["code"] for reason in self.gate(query)["reasons"]]

    def pull(self, times=1):
        for _ in range(times):
            answer = self.mirror.get(f"/v2/team/app/manifests/{self.app.top}")
            assert answer.status == 200

    def freeze(self, *words):
        return run("freeze", *words, "--admin", self.url)


@pytest.fixture
def ring(origin, start, new_seed):
    def make(gate=None, **options):
        mirror = start({UPSTREAM: registry_at(origin.url)}, gate=gate or {}, **options)
        return Ring(mirror, origin, new_seed())
    return make


def gate_of(*mirrors, words=()):
    named = [word for mirror in mirrors for word in ("--mirror", mirror)]
    return run("gate", "r", *named, *words)


# ---- reasons -----------------------------------------------------------------------

def test_open(ring):
    ring = ring().ready()
    answer = ring.gate()
    assert answer["open"] and answer["reasons"] == []
    assert {row["rule"] for row in answer["skipped"]} >= {"hit_ratio", "byte_ratio"}
    assert "0 requests" in answer["skipped"][0]["text"]
    assert answer["rules"]["min_hit_ratio"] == 0.98
    assert ring.releases.ask("/v1/releases/r/ready").status == 200


def test_closed_while_bytes_are_missing(ring, origin):
    ring = ring()
    origin.when("GET .*/blobs/", before=Gate())
    ring.put(published_at="2026-01-01T00:00:00Z")
    ring.releases.wait_state("r", "warming")
    codes = ring.codes()
    assert "bytes_missing" in codes and "lag_high" in codes
    text = ring.gate()["reasons"][0]["text"]
    assert text.startswith("1 of 1 images incomplete, "), text
    assert ring.releases.ask("/v1/releases/r/ready").status == 503
    origin.heal()
    ring.releases.wait_state("r", "ready")
    assert ring.codes() == []


def test_failed_image(ring):
    ring = ring()
    bad = ring.releases.reference("team/app", f"sha256:{'0' * 64}")
    ring.releases.put("r", ring.reference, bad)
    ring.releases.wait_state("r", "failed")
    assert "images_failed" in ring.codes()
    reasons = {reason["code"]: reason["text"] for reason in ring.gate()["reasons"]}
    assert reasons["images_failed"].startswith("1 of 2 images failed"), reasons


def test_frozen(ring):
    ring = ring().ready()
    done = ring.freeze("--reason", "storm", "--until", "4h")
    assert done.returncode == 0 and "storm" in done.stdout, done
    [reason] = ring.gate()["reasons"]
    assert reason["code"] == "frozen" and "storm" in reason["text"]
    assert "storm" in ring.freeze().stdout
    assert ring.freeze("--lift").stdout == "not frozen\n"
    assert ring.gate()["open"]


def test_a_freeze_ends_by_itself(ring):
    ring = ring().ready()
    ring.freeze("--reason", "short", "--until", "1s")
    wait_until(lambda: ring.gate()["open"], what="the freeze to end")


@pytest.mark.parametrize("body, field", [
    ({}, "reason"), ({"reason": "x", "until": "yesterday"}, "until"),
    ({"reason": "x", "until": "2020-01-01T00:00:00Z"}, "until"), ({"reason": "x", "a": 1}, "body")])
def test_wrong_freezes(ring, body, field):
    ring = ring()
    answer = ring.releases.ask("/v1/freeze", "PUT", body)
    assert answer.status == 400 and answer.json()["errors"][0]["field"] == field
    assert not ring.releases.ask("/v1/freeze").json()["frozen"]


def test_held(ring):
    ring = ring().ready()
    ring.releases.say("r", "hold")
    assert ring.codes() == ["held"]
    ring.releases.say("r", "resume")
    wait_until(lambda: ring.codes() == [], what="the gate to open")


def test_link_out_of_service(origin, start, new_seed):
    mirror = start({UPSTREAM: registry_at({"url": origin.url, "link": "wan"})},
                   links={"wan": {}})
    ring = Ring(mirror, origin, new_seed()).ready()
    assert ring.codes() == []
    run("links", "--admin", ring.url, "--link", "wan", "--up", "no")
    [reason] = ring.gate()["reasons"]
    assert reason["code"] == "link_down" and "wan" in reason["text"]


def test_links_that_are_not_asked(origin, start, new_seed):
    mirror = start({UPSTREAM: registry_at({"url": origin.url, "link": "wan"})},
                   links={"wan": {}}, gate={"require_links": False})
    ring = Ring(mirror, origin, new_seed()).ready()
    run("links", "--admin", ring.url, "--link", "wan", "--up", "no")
    answer = ring.gate()
    assert answer["open"]
    assert "links" in {row["rule"] for row in answer["skipped"]}


def test_an_upstream_that_is_gone(ring, origin):
    """Closed until it answers again, however long nobody asks; looking at the gate asks."""
    ring = ring().ready()
    assert ring.codes() == []
    origin.stop()
    ring.mirror.get("/v2/team/app/manifests/1.0")
    assert ring.codes() == ["link_down"], ring.gate()
    wait_until(lambda: ring.mirror.metric("upstream_errors_total", reason="unreachable") > 3,
               what="the gate's own questions")
    assert ring.codes() == ["link_down"], ring.gate()
    origin.start()
    wait_until(lambda: ring.codes() == [], timeout=60, what="the gate to open")


def test_more_upstreams_than_are_looked_at(origin, start, new_seed):
    names = [f"registry-{i}.test" for i in range(65)]
    mirror = start({name: registry_at(origin.url) for name in names})
    ring = Ring(mirror, origin, new_seed())
    listed = [f"{name}/team/app@{ring.app.top}" for name in names]
    ring.releases.put("r", *listed[:64])
    assert "errors_unknown" not in ring.codes()
    ring.releases.put("r", *listed)
    assert "errors_unknown" in ring.codes()


# ---- ratios ------------------------------------------------------------------------

def test_ratio_of_hits(ring):
    ring = ring({"min_requests": 5}).ready()
    assert ring.codes("?require_ratio=true") == ["requests_few"]
    ring.pull(5)
    wait_until(lambda: ring.codes("?require_ratio=true") == [], what="five requests")
    assert "hit_ratio" not in {row["rule"] for row in ring.gate()["skipped"]}


def test_ratio_is_low(ring, origin):
    """What a store pulled before the release was here counts against it."""
    ring = ring({"min_requests": 1, "min_hit_ratio": 0.9})
    origin.when("GET .*/blobs/", pause_at=1000)
    ring.put()
    ring.releases.wait_state("r", "warming")
    blob = ring.app.layers[0]
    wait_until(lambda: origin.count(blob) > 0, what="the layer to be asked for")
    pulls = [in_background(ring.mirror.get, f"/v2/team/app/blobs/{blob}") for _ in range(5)]
    ring.mirror.wait_metric("requests_total", 5, kind="blob", result="join")
    origin.heal()
    for pull in pulls:
        assert pull.join().status == 200
    ring.releases.wait_state("r", "ready")
    wait_until(lambda: "hit_ratio_low" in ring.codes(), what="the ratio to be low")
    assert "byte_ratio_low" in ring.codes()
    text = ring.gate()["reasons"][0]["text"]
    assert "at least 90 %" in text, text


def test_upstream_errors(ring, origin):
    ring = ring({"min_requests": 3, "max_error_ratio": 0.5, "require_links": False}).ready()
    origin.when("nothing-here", status=500)
    for i in range(12):
        ring.mirror.get(f"/v2/team/nothing-here/manifests/{i}")
    codes = ring.codes()
    assert codes == ["upstream_errors"], ring.gate()


# ---- queries -----------------------------------------------------------------------

@pytest.mark.parametrize("query", [
    "max_lag=1h", "min_hit_ratio=0.5", "min_requests=51", "max_error_ratio=0.9",
    "max_lag=soon", "colour=red", "require_ratio=perhaps"])
def test_queries_only_tighten(ring, query):
    answer = ring().releases.ask(f"/v1/releases/r/gate?{query}")
    assert answer.status == 400, answer


# ---- proof -------------------------------------------------------------------------

def test_verify_closes_at_once(ring):
    ring = ring().ready()
    digest = ring.app.layers[0].split(":")[1]
    blob = ring.mirror.folder / "store" / "blobs" / "sha256" / digest
    data = bytearray(blob.read_bytes())
    data[len(data) // 2] ^= 1
    ring.origin.when("GET .*/blobs/", status=503)
    blob.chmod(0o644)
    blob.write_bytes(bytes(data))
    assert ring.gate()["open"], "nobody has looked yet"
    assert "bytes_missing" in ring.codes("?verify=true")
    ring.origin.heal()
    ring.releases.say("r", "retry")
    ring.releases.wait_state("r", "ready")
    wait_until(lambda: ring.codes() == [], what="the gate to open")


# ---- the command -------------------------------------------------------------------

def test_many_mirrors(ring):
    first, second = ring().ready(), ring().ready()
    done = gate_of(first.url, second.url)
    assert done.returncode == 0, done
    rows = done.stdout.splitlines()
    assert len(rows) == 3 and all("open" in row for row in rows[1:])
    first.freeze("--reason", "storm")
    done = gate_of(first.url, second.url)
    assert done.returncode == 1
    assert "frozen: frozen by" in done.stdout and "storm" in done.stdout


def test_unreachable_is_no_no(ring):
    ring = ring().ready()
    nobody = "http://127.0.0.1:1"
    done = gate_of(ring.url, nobody)
    assert done.returncode == 3, done
    assert "unreachable" in done.stdout
    ring.freeze("--reason", "storm")
    assert gate_of(ring.url, nobody).returncode == 1


def test_release_that_is_not_there(ring):
    done = gate_of(ring().url)
    assert done.returncode == 1 and "no release" in done.stdout.lower(), done


def test_json(ring):
    ring = ring().ready()
    answer = json.loads(gate_of(ring.url, words=["--json"]).stdout)
    assert answer["open"] and answer["mirrors"][0]["gate"]["release"] == "r"


def test_wait(ring, origin):
    ring = ring()
    origin.when("GET .*/blobs/", before=Gate())
    ring.put()
    ring.releases.wait_state("r", "warming")
    waiting = in_background(lambda: gate_of(ring.url, words=["--wait", "60s"]))
    origin.heal()
    done = waiting.join()
    assert done.returncode == 0, done


def test_wait_is_over(ring, origin):
    ring = ring()
    origin.when("GET .*/blobs/", status=503)
    ring.put()
    done = gate_of(ring.url, words=["--wait", "1s"])
    assert done.returncode == 1
    assert "closed" in done.stderr and "bytes_missing" in done.stdout
