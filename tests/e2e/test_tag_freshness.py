"""How long a tag is believed, and what is said when nobody can be asked."""

import pytest

from conftest import UPSTREAM
from lib import images
from lib.railhead import registry_at
from lib.wait import Gate, wait_until

TARGET = "/v2/lib/app/manifests/1.0"


@pytest.fixture
def app(origin, new_seed):
    """lib/app:1.0, and move() to give the tag another image."""
    class App:
        def move(self):
            self.content = origin.load(
                "lib/app", images.image(size=64, tag="1.0", seed=new_seed()))
            return self.content.top
    made = App()
    made.top = made.move()
    return made


@pytest.fixture
def ruled(start, origin):
    """A mirror whose only rule for tags is this."""
    def launch(**rule):
        return start({UPSTREAM: registry_at(origin.url)}, tags=[{"match": "*", **rule}])
    return launch


def digest_of(answer):
    assert answer.status == 200, answer
    return answer["Docker-Content-Digest"]


def test_a_fresh_tag_is_not_asked_again(ruled, origin, app):
    mirror = ruled(ttl="1h")
    assert digest_of(mirror.get(TARGET)) == app.top
    mirror.restart()
    origin.forget()
    for _ in range(5):
        assert digest_of(mirror.get(TARGET)) == app.top
        assert digest_of(mirror.head(TARGET)) == app.top
    assert origin.seen == []
    assert mirror.metric("requests_total", kind="tag", result="hit") == 10


def test_an_old_tag_is_confirmed_by_head(ruled, origin, app):
    mirror = ruled(ttl="0s")
    mirror.get(TARGET)
    mirror.restart()
    origin.forget()
    wait_until(lambda: digest_of(mirror.get(TARGET)) == app.top
               and origin.count("HEAD .*manifests/1.0") == 3)
    assert origin.count("GET") == 0


def test_a_tag_gets_old(ruled, origin, app):
    mirror = ruled(ttl="1s")
    mirror.get(TARGET)
    first = origin.count("manifests/1.0")
    wait_until(lambda: mirror.get(TARGET) and origin.count("manifests/1.0") > first,
               what="a second look at the tag")


def test_a_moved_tag(ruled, app):
    mirror = ruled(ttl="0s")
    assert digest_of(mirror.get(TARGET)) == app.top
    moved = app.move()
    wait_until(lambda: digest_of(mirror.get(TARGET)) == moved, what="the moved tag")
    assert digest_of(mirror.head(TARGET)) == moved
    assert mirror.get(f"/v2/lib/app/manifests/{app.top}").status == 200


def test_a_moved_tag_seen_by_head_first(ruled, app, origin):
    mirror = ruled(ttl="0s")
    mirror.get(TARGET)
    moved = app.move()
    wait_until(lambda: digest_of(mirror.head(TARGET)) == moved, what="the moved tag")
    origin.stop()
    assert digest_of(mirror.get(f"/v2/lib/app/manifests/{moved}")) == moved


@pytest.mark.parametrize("how", ["down", 429, 500, 503])
def test_stale_with_a_warning(ruled, origin, app, how):
    mirror = ruled(ttl="0s", stale="1h")
    fresh = mirror.get(TARGET)
    assert fresh["Warning"] is None
    mirror.restart()
    if how == "down":
        origin.stop()
    else:
        origin.when("", status=how)
    for method in ("get", "head"):
        stale = getattr(mirror, method)(TARGET)
        assert digest_of(stale) == app.top
        assert stale["Warning"].startswith('299 - "')
    assert mirror.metric("requests_total", kind="tag", result="stale") == 2


@pytest.mark.parametrize("how", ["down", 429, 500, 503])
def test_too_old_to_be_stale(ruled, origin, app, how):
    mirror = ruled(ttl="0s", stale="0s")
    mirror.get(TARGET)
    mirror.restart()
    if how == "down":
        origin.stop()
    else:
        origin.when("", status=how)
    answer = mirror.get(TARGET)
    assert answer.status == 503
    assert answer.error_code() == "UNAVAILABLE"
    assert mirror.get(f"/v2/lib/app/manifests/{app.top}").status == 200


def test_a_tag_that_is_gone_is_gone(ruled, origin, app):
    """404 is an answer, not a failure: nothing stale is served."""
    mirror = ruled(ttl="0s", stale="1h")
    mirror.get(TARGET)
    mirror.restart()
    del origin.repositories["lib/app"].tags["1.0"]
    assert mirror.get(TARGET).status == 404


def test_fresh_again_when_the_upstream_is_back(ruled, origin, app):
    mirror = ruled(ttl="0s", stale="1h")
    mirror.get(TARGET)
    mirror.restart()
    origin.stop()
    assert mirror.get(TARGET)["Warning"]
    origin.start()
    moved = app.move()
    wait_until(lambda: digest_of(mirror.get(TARGET)) == moved, what="the moved tag")
    assert mirror.get(TARGET)["Warning"] is None


def test_an_unknown_tag_is_remembered_briefly(ruled, origin, app):
    mirror = ruled(ttl="1h")
    target = "/v2/lib/app/manifests/new"
    for _ in range(5):
        assert mirror.get(target).status == 404
    first = origin.count("manifests/new")
    assert first <= 2
    origin.repositories["lib/app"].tags["new"] = app.top
    wait_until(lambda: mirror.get(target).status == 200, what="the new tag")


def test_the_first_rule_that_matches_counts(start, origin, app):
    mirror = start({UPSTREAM: registry_at(origin.url)}, tags=[
        {"match": "lib/app:v*", "ttl": "1h"}, {"match": "other/*", "ttl": "1h"},
        {"match": "*", "ttl": "0s"}])
    origin.repositories["lib/app"].tags["v1"] = app.top
    mirror.get(TARGET)
    mirror.get("/v2/lib/app/manifests/v1")
    mirror.restart()
    origin.forget()
    wait_until(lambda: mirror.get(TARGET) and mirror.get("/v2/lib/app/manifests/v1")
               and origin.count("HEAD .*manifests/1.0") >= 3)
    assert origin.count("manifests/v1") == 0


# ---- immutable tags -------------------------------------------------------------

def test_an_immutable_tag_that_moves(ruled, origin, app):
    """The first digest is served on; the move is counted and told."""
    mirror = ruled(immutable=True, ttl="0s")
    first = app.top
    assert digest_of(mirror.get(TARGET)) == first
    moved = app.move()
    wait_until(lambda: digest_of(mirror.get(TARGET)) == first
               and mirror.metric("tag_moved_total", upstream=UPSTREAM) == 1,
               what="the move to be counted")
    told = mirror.wait_log(first, moved)
    assert len(told) == 1 and '"warn"' in told[0]
    mirror.restart()
    assert digest_of(mirror.get(TARGET)) == first


def test_an_immutable_tag_needs_no_upstream(ruled, origin, app):
    mirror = ruled(immutable=True, ttl="0s", stale="0s")
    mirror.get(TARGET)
    mirror.restart()
    origin.stop()
    for _ in range(3):
        answer = mirror.get(TARGET)
        assert digest_of(answer) == app.top
    assert mirror.metric("requests_total", kind="tag", result="hit") == 3


# ---- one question for many --------------------------------------------------------

@pytest.mark.threads
@pytest.mark.parametrize("is_cold", [True, False])
def test_many_ask_once(ruled, origin, app, is_cold):
    mirror = ruled(ttl="0s")
    if not is_cold:
        mirror.get(TARGET)
        mirror.restart()
    origin.forget()
    gate = Gate()
    origin.when("manifests/1.0", before=gate)
    wires = [mirror.wire() for _ in range(40)]
    for wire in wires:
        wire.request(TARGET)
    gate.wait_arrival()
    mirror.wait_read(len(wires))
    gate.open()
    assert {digest_of(wire.body(wire.head())) for wire in wires} == {app.top}
    for wire in wires:
        wire.close()
    # One that was read may still be between two threads: few, not one.
    assert origin.count("manifests/1.0") <= 6
