"""deploy/prometheus: on series that are written here, and in earnest."""

import json
import re

import pytest

from conftest import UPSTREAM
from lib import images
from lib.images import MIB
from lib.prometheus import DEPLOY, RULES, Prometheus, check_queries, is_installed, promtool, rules
from lib.railhead import ROOT, registry_at
from lib.releases import Releases
from lib.wait import Gate, in_background, wait_until

pytestmark = pytest.mark.skipif(not is_installed(), reason="prometheus is not installed")

MIRROR = 'job="railhead", instance="m:5001"'
ALERTS = {rule["alert"]: rule for rule in rules() if "alert" in rule}


# ---- what is written down ----------------------------------------------------------

def test_promtool_likes_them():
    for words in (["rules", *RULES], ["config", "--syntax-only", DEPLOY / "prometheus.yml"]):
        done = promtool("check", *words)
        assert done.returncode == 0, done.stdout + done.stderr


def test_every_metric_is_one_that_is_published():
    table = (ROOT / "include/tbl/metrics.h").read_text()
    known = dict(re.findall(r'^METRIC\(\w+,\s*(\w+),[^"]*"([^"]*)"', table, re.M))
    text = "".join(path.read_text() for path in RULES)
    for name, labels in re.findall(r"(?<![:\w])railhead_(\w+)(?:\{([^}]*)\})?", text):
        assert name in known, name
        for label in re.findall(r"(\w+)[!=]", labels):
            assert label in known[name].split(","), (name, label)


def test_every_recorded_series_that_is_used_is_recorded():
    recorded = {rule["record"] for rule in rules() if "record" in rule}
    used = set(re.findall(r"\b\w+:railhead_\w+(?::\w+)?|\brailhead:\w+(?::\w+)?",
                          "".join(path.read_text() for path in RULES)))
    assert used == recorded


@pytest.mark.parametrize("name", ALERTS)
def test_an_alert_says_what_to_do(name):
    rule = ALERTS[name]
    assert rule["labels"]["severity"] in ("page", "ticket")
    assert list(rule["annotations"]) == ["summary"]
    summary = rule["annotations"]["summary"]
    assert "$labels.instance" in summary and summary.endswith(".") and "\n" not in summary


# ---- on series that are written here -----------------------------------------------

def requests(result, values, kind="blob", ring="one"):
    return {f'railhead_requests_total{{{MIRROR}, upstream="u", kind="{kind}", '
            f'result="{result}", ring="{ring}"}}': values}


def of(name, values, **labels):
    more = "".join(f', {label}="{value}"' for label, value in labels.items())
    return {f"{name if name == 'up' else 'railhead_' + name}{{{MIRROR}{more}}}": values}


def link(rate, carried, waiting):
    """RATE, and what a minute brings of bytes by class, and of pulls' waiting."""
    series = of("link_rate_bytes", f"{rate}x60", link="wan")
    for name, step in carried.items():
        series |= of("link_bytes_total", f"0+{step}x60", link="wan", **{"class": name})
    return series | of("link_wait_seconds_total", f"0+{waiting}x60", link="wan",
                       **{"class": "pull"})


R = {"release": "r1"}
U = {"upstream": "u"}
L = {"link": "wan"}

# alert, what its labels tell beside the target's; series; minutes at which it
# fires; minutes at which it does not
CASES = {
    "down": ("RailheadMirrorDown", {}, of("up", "1x5 0x20"), [11], [5, 10]),
    "late": ("RailheadLagOverDeadline", R, of("release_lag_seconds", "0+60x300", **R),
             [246], [240, 245]),
    "late, but held": ("RailheadLagOverDeadline", R,
                       of("release_lag_seconds", "0+60x300", **R)
                       | of("release_images", "3x300", state="held", **R), [], [246, 299]),
    "late, none held": ("RailheadLagOverDeadline", R,
                        of("release_lag_seconds", "0+60x300", **R)
                        | of("release_images", "0x300", state="held", **R), [246], []),
    "failed": ("RailheadReleaseFailed", R,
               of("release_images", "0x5 2x20", state="failed", **R), [11], [5, 10]),
    "others are ready": ("RailheadReleaseFailed", R,
                         of("release_images", "2x20", state="ready", **R), [], [11]),
    "misses": ("RailheadHitRatioLow", {},
               requests("hit", "0+50x60") | requests("miss", "0+50x60"), [20], [1, 14]),
    "never a hit": ("RailheadHitRatioLow", {}, requests("miss", "0+50x60"), [20], [14]),
    "joins": ("RailheadHitRatioLow", {},
              requests("hit", "0+50x60") | requests("join", "0+50x60"), [20], []),
    "hits": ("RailheadHitRatioLow", {},
             requests("hit", "0+99x60") | requests("miss", "0+1x60"), [], [20, 50]),
    "stale is a hit": ("RailheadHitRatioLow", {},
                       requests("stale", "0+99x60") | requests("miss", "0+1x60"), [], [20]),
    "errors are apart": ("RailheadHitRatioLow", {},
                         requests("hit", "0+50x60") | requests("error", "0+90x60"), [], [20]),
    "hardly asked": ("RailheadHitRatioLow", {}, requests("miss", "0+1x60"), [], [20, 50]),
    "full, pulls wait": ("RailheadLinkSaturated", L,
                         link(1000000, {"pull": 60000000}, 120), [20], [10]),
    "full of prewarm": ("RailheadLinkSaturated", L,
                        link(1000000, {"pull": 6000000, "prewarm": 54000000}, 6), [], [20]),
    "waiting, not full": ("RailheadLinkSaturated", L,
                          link(1000000, {"pull": 30000000}, 120), [], [20]),
    "not limited": ("RailheadLinkSaturated", L, link(0, {"pull": 60000000}, 120), [], [20]),
    "no endpoint": ("RailheadUpstreamDown", U,
                    of("upstream_up", "1x3 0x20", endpoint="a", **U)
                    | of("upstream_up", "0x20", endpoint="b", **U), [10], [3, 8]),
    "another endpoint": ("RailheadUpstreamDown", U,
                         of("upstream_up", "0x20", endpoint="a", **U)
                         | of("upstream_up", "1x20", endpoint="b", **U), [], [10]),
    "first tag": ("RailheadImmutableTagMoved", U,
                  of("tag_moved_total", "_x10 1x120", **U), [12, 60], [9, 75]),
    "another tag": ("RailheadImmutableTagMoved", U,
                    of("tag_moved_total", "1x100 2x100", **U), [103, 150], [90, 170]),
    "a tenth is left": ("RailheadQuotaNear", L,
                        of("link_quota_remaining_bytes", "100e9x10 9e9x500", **L),
                        [500], [10, 20]),
    "soon gone": ("RailheadQuotaNear", L,
                  of("link_quota_remaining_bytes", "50e9-50e6x200", **L), [60], [10]),
    "enough": ("RailheadQuotaNear", L,
               of("link_quota_remaining_bytes", "100e9-1e6x400", **L), [], [60, 399]),
    "a new month": ("RailheadQuotaNear", L,
                    of("link_quota_remaining_bytes", "1e9x20 100e9x400", **L), [], [36, 60, 400]),
    "frozen": ("RailheadFrozenLong", {}, of("frozen", "0x10 1x1500"), [1460], [11, 1440]),
}


@pytest.mark.parametrize("case", CASES)
def test_alert(tmp_path, case):
    name, labels, series, fires, quiet = CASES[case]
    told = {"alertname": name, "alertstate": "firing", "job": "railhead", "instance": "m:5001",
            "severity": ALERTS[name]["labels"]["severity"], **labels}
    if name == "RailheadReleaseFailed":
        told["state"] = "failed"
    for label in re.findall(r"\$labels\.(\w+)", ALERTS[name]["annotations"]["summary"]):
        assert label in told
    sample = "ALERTS{%s}" % ", ".join(f'{key}="{value}"' for key, value in told.items())
    query = f'ALERTS{{alertname="{name}", alertstate="firing"}}'
    check_queries(tmp_path / "case.json", series,
                  [(query, minute, {sample: 1}) for minute in fires]
                  + [(query, minute, {}) for minute in quiet])


def test_every_alert_has_a_case_that_fires_and_one_that_does_not():
    assert {case[0] for case in CASES.values() if case[3]} == set(ALERTS)
    assert {case[0] for case in CASES.values() if case[4]} == set(ALERTS)


def recorded(name, **labels):
    return "%s{%s}" % (name, ", ".join(
        f'{key}="{value}"' for key, value in
        {"job": "railhead", "instance": "m:5001", **labels}.items()))


def test_recorded_hit_ratios(tmp_path):
    bytes_of = {name.replace("requests_total", "response_bytes_total"): values
                for result, values in (("hit", "0+30x40"), ("miss", "0+10x40"))
                for name in requests(result, "")}
    check_queries(
        tmp_path / "case.json",
        requests("hit", "0+60x40", ring="one") | requests("miss", "0+60x40", ring="two")
        | requests("stale", "0+30x40", ring="two", kind="manifest")
        | requests("join", "0+30x40", ring="one", kind="tag")
        | requests("miss", "0+900x40", kind="referrers") | bytes_of,
        [("instance:railhead_hit_ratio_requests:rate15m", 30,
          {recorded("instance:railhead_hit_ratio_requests:rate15m"): 0.5}),
         ('instance_ring:railhead_hit_ratio_requests:rate15m{ring="two"}', 30,
          {recorded("instance_ring:railhead_hit_ratio_requests:rate15m", ring="two"): 1 / 3}),
         ("instance:railhead_requests:rate15m", 30,
          {recorded("instance:railhead_requests:rate15m"): 3}),
         ("instance:railhead_hit_ratio_bytes:rate15m", 30,
          {recorded("instance:railhead_hit_ratio_bytes:rate15m"): 0.75})])


def test_recorded_lag_and_links(tmp_path):
    check_queries(
        tmp_path / "case.json",
        of("mirror_lag_seconds", "30x20") | of("release_lag_seconds", "30x20", **R)
        | {'railhead_mirror_lag_seconds{job="railhead", instance="n:5001"}': "90x20",
           'railhead_release_lag_seconds{job="railhead", instance="n:5001", release="r1"}': "90x20"}
        | link(2000000, {"pull": 30000000, "prewarm": 30000000}, 60),
        [("railhead:lag_seconds:max", 10, {"railhead:lag_seconds:max": 90}),
         ("release:railhead_lag_seconds:max", 10,
          {'release:railhead_lag_seconds:max{release="r1"}': 90}),
         ("round(instance_link:railhead_link_use:ratio_rate5m, 0.001)", 20,
          {recorded("", **L): 0.525}),
         ("instance_link:railhead_link_pulls_waiting:rate5m", 20,
          {recorded("instance_link:railhead_link_pulls_waiting:rate5m", **L): 1})])


def test_a_mirror_that_can_not_be_asked_keeps_the_gate_closed(tmp_path):
    """Of three, one does not know the release at first, and one is lost at last."""
    series = {}
    for name, up, is_open in (("a", "1x60", "1x60"), ("b", "1x60", "0x9 1x60"),
                              ("c", "1x40 0x20", "_x20 1x20 stale")):
        series[f'up{{job="railhead", instance="{name}"}}'] = up
        series[f'railhead_gate_open{{job="railhead", instance="{name}", release="r1"}}'] = is_open
    record = 'release:railhead_gate_open:ratio'
    sample = f'{record}{{release="r1"}}'
    check_queries(tmp_path / "case.json", series,
                  [(f"{record} == 1", minute, {sample: 1} if minute == 30 else {})
                   for minute in (5, 15, 30, 50)]
                  + [(f"{record} * 3", minute, {f'{{release="r1"}}': share})
                     for minute, share in ((5, 1), (15, 2), (50, 2))])


# ---- in earnest --------------------------------------------------------------------

@pytest.fixture
def watch(tmp_path):
    """Starts a Prometheus that watches a mirror."""
    started = []

    def start_one(mirror, **more):
        started.append(Prometheus(tmp_path / f"prometheus-{len(started)}", mirror, **more))
        prometheus = started[-1].start()
        prometheus.wait_scraped("railhead_build_info")
        return prometheus

    yield start_one
    for prometheus in started:
        prometheus.stop()


@pytest.fixture
def new_target(origin, new_blob):
    """Something cold that can be pulled."""
    def make(size=64):
        return f"/v2/lib/x/blobs/{origin.load('lib/x', new_blob(size)).blob}"
    return make


def summary_of(alert):
    text = alert["annotations"]["summary"]
    assert "127.0.0.1" in text and "{{" not in text and "<error" not in text
    return text


def test_rules_are_evaluated(own, watch, new_target):
    prometheus = watch(own)
    own.get(new_target())
    prometheus.wait_scraped("instance:railhead_hit_ratio_requests:rate15m")
    for group in prometheus.api("rules")["groups"]:
        for rule in group["rules"]:
            assert rule["health"] == "ok", rule
    assert prometheus.query('up{job="railhead", region="test-1"}')[0][1] == 1


def test_it_scrapes_with_a_token(start, origin, watch, tmp_path):
    tokens = tmp_path / "tokens.yaml"
    tokens.write_text(json.dumps({"tokens": [
        {"name": "prometheus", "role": "read", "token": "reader-0123456789"}]}))
    tokens.chmod(0o600)
    good = tmp_path / "token"
    good.write_text("reader-0123456789\n")
    mirror = start({UPSTREAM: registry_at(origin.url)}, admin={"tokens": str(tokens)})
    assert watch(mirror, token_file=good).query("up")[0][1] == 1


def test_a_mirror_that_is_gone(own, watch):
    prometheus = watch(own)
    own.stop()
    assert "GET /healthz" in summary_of(prometheus.wait_alert("RailheadMirrorDown"))
    own.start()
    prometheus.wait_quiet("RailheadMirrorDown")


def test_an_upstream_that_is_down(own, origin, watch, new_target):
    target = new_target()
    prometheus = watch(own)
    origin.when("", hangs_up=True)
    assert own.get(target).status >= 500
    alert = prometheus.wait_alert("RailheadUpstreamDown")
    assert UPSTREAM in summary_of(alert)
    assert alert["labels"]["region"] == "test-1" and alert["labels"]["severity"] == "page"
    origin.heal()
    wait_until(lambda: own.get(target).status == 200)
    prometheus.wait_quiet("RailheadUpstreamDown")


def test_an_immutable_tag_that_moves(start, origin, watch, new_seed):
    mirror = start({UPSTREAM: registry_at(origin.url)},
                   tags=[{"match": "*", "immutable": True, "ttl": "0s"}])
    prometheus = watch(mirror)
    for _ in range(2):
        origin.load("lib/app", images.image(size=64, tag="1.0", seed=new_seed()))
        assert mirror.get("/v2/lib/app/manifests/1.0").status == 200
    assert not prometheus.firing("RailheadImmutableTagMoved")
    wait_until(lambda: mirror.get("/v2/lib/app/manifests/1.0")
               and mirror.metric("tag_moved_total", upstream=UPSTREAM) >= 1)
    assert UPSTREAM in summary_of(prometheus.wait_alert("RailheadImmutableTagMoved"))


def test_pulls_that_all_miss(own, watch, new_target):
    prometheus = watch(own)
    assert not prometheus.firing("RailheadHitRatioLow")
    own.get(new_target())
    prometheus.wait_scraped('railhead_requests_total{result="miss"}')
    for target in [new_target() for _ in range(40)]:
        own.get(target)
    assert "railhead warm" in summary_of(prometheus.wait_alert("RailheadHitRatioLow"))


def test_a_release_that_is_late_and_one_that_failed(own, origin, watch, new_seed):
    """Published yesterday, and cut off from the upstream; one names what nobody has."""
    releases = Releases(own, UPSTREAM)
    content = origin.load("lib/late", images.image(size=64, seed=new_seed()))
    nobody = "sha256:" + "0" * 64
    prometheus = watch(own)
    releases.put("wrong", releases.reference("lib/late", nobody))
    origin.when(content.top, hangs_up=True)
    releases.put("late", releases.reference("lib/late", content.top),
                 published_at="2020-01-01T00:00:00Z")
    text = summary_of(prometheus.wait_alert("RailheadReleaseFailed"))
    assert "1 images of release wrong" in text
    text = summary_of(prometheus.wait_alert("RailheadLagOverDeadline"))
    assert "Release late was published" in text
    assert [alert["labels"]["release"] for alert in prometheus.firing("RailheadLagOverDeadline")] \
        == ["late"]
    origin.heal()
    prometheus.wait_quiet("RailheadLagOverDeadline", timeout=90)


def gates(mirror):
    return {labels["release"]: value for name, labels, value in mirror.metrics().samples
            if name == "railhead_gate_open"}


def test_gates_are_as_their_mirror_says(own, origin, watch, new_seed):
    releases = Releases(own, UPSTREAM)
    prometheus = watch(own)
    ratio = "release:railhead_gate_open:ratio"
    for name in ("r1", "r2"):
        content = origin.load("lib/app", images.image(size=64, seed=new_seed()))
        fault = origin.when(content.top, before=Gate())
        releases.put(name, releases.reference("lib/app", content.top))
        fault.before.wait_arrival()
        assert gates(own)[name] == 0
        fault.before.open()
        wait_until(lambda: gates(own)[name] == 1, what=f"the gate of {name}")
    prometheus.wait_scraped(f'{ratio}{{release="r1"}} == 1')
    assert releases.ask("/v1/freeze", "PUT", {"reason": "rehearsal"}).status == 200
    assert gates(own) == {"r1": 0, "r2": 0}
    prometheus.wait_scraped(f'{ratio}{{release="r2"}} == 0')
    assert releases.ask("/v1/freeze", "DELETE").status in (200, 204)
    assert gates(own) == {"r1": 1, "r2": 1}
    releases.delete("r1")
    own.metrics()
    assert gates(own) == {"r2": 1}
    releases.delete("r2")
    own.metrics()
    assert gates(own) == {}


def test_scrapes_beside_each_other_and_releases_that_come_and_go(own, origin, new_seed):
    releases = Releases(own, UPSTREAM)
    content = origin.load("lib/app", images.image(size=64, seed=new_seed()))
    for _ in range(5):
        scrapes = [in_background(own.metrics) for _ in range(4)]
        for name in ("a", "b", "c"):
            releases.put(name, releases.reference("lib/app", content.top))
        scrapes += [in_background(own.metrics) for _ in range(4)]
        for name in ("a", "b", "c"):
            releases.delete(name)
        for scrape in scrapes:
            assert scrape.join().samples
    own.metrics()
    assert gates(own) == {}


def test_a_link_that_stores_wait_for(start, origin, watch, new_target):
    mirror = start({UPSTREAM: registry_at({"url": origin.url, "link": "wan"})},
                   links={"wan": {"rate": "16Mbit"}})
    prometheus = watch(mirror)
    mirror.get(new_target())
    prometheus.wait_scraped('railhead_link_bytes_total{link="wan"}')
    pulls = [in_background(mirror.get, new_target(8 * MIB)) for _ in range(4)]
    text = summary_of(prometheus.wait_alert("RailheadLinkSaturated"))
    assert "Link wan" in text and "%" in text
    for pull in pulls:
        assert pull.join().status == 200


def test_a_quota_that_is_nearly_spent(start, origin, watch, new_target):
    mirror = start({UPSTREAM: registry_at({"url": origin.url, "link": "wan"})},
                   links={"wan": {"rate": "800Mbit", "quota": {"bytes": "64MiB"}}})
    prometheus = watch(mirror)
    prometheus.wait_scraped("railhead_link_quota_remaining_bytes > 60e6")
    assert not prometheus.firing("RailheadQuotaNear")
    mirror.get(new_target(56 * MIB))
    assert "link wan" in summary_of(prometheus.wait_alert("RailheadQuotaNear"))
