"""What is believed of an upstream's word on tags: no login page is a manifest,
and what was deleted does not come back.
"""

import pytest

from conftest import UPSTREAM
from lib import images
from lib.railhead import registry_at
from lib.wait import wait_until

TARGET = "/v2/lib/app/manifests/1.0"


@pytest.fixture
def app(origin):
    """lib/app:1.0, never the same bytes."""
    return origin.load("lib/app", images.image(size=64, tag="1.0"))


@pytest.fixture
def ruled(start, origin):
    """A mirror whose only rule for tags is this."""
    def launch(**rule):
        return start({UPSTREAM: registry_at(origin.url)}, tags=[{"match": "*", **rule}])
    return launch


def settle(mirror):
    """Until all is written down, and nothing is remembered but that."""
    mirror.stop()
    mirror.start()


# ---- bodies that are no manifests ------------------------------------------------------

BODIES = {
    "login-page": (b"<html>log in to the wifi</html>", "text/html"),
    "login-page-of-a-manifests-type": (b"<html>log in</html>", images.OCI_MANIFEST),
    "empty": (b"", "text/html"),
    "empty-of-a-manifests-type": (b"", images.OCI_MANIFEST),
    "json-list": (b'["log in"]', "application/json"),
    "json-object": (b'{"message": "log in"}', "application/json"),
}


def wall_off(origin, name):
    """Everything is answered by something between us and the registry."""
    body, kind = BODIES[name]
    origin.when("", status=200, body=body, fields={"Content-Type": kind})


@pytest.mark.parametrize("is_immutable", [False, True])
@pytest.mark.parametrize("name", sorted(BODIES))
def test_no_manifest_for_a_cold_tag(ruled, origin, app, name, is_immutable):
    mirror = ruled(ttl="1h", immutable=is_immutable)
    wall_off(origin, name)
    answer = mirror.get(TARGET)
    assert answer.status in (502, 503) and answer.error_code(), answer
    assert mirror.metric("store_objects") == 0
    origin.heal()
    settle(mirror)
    answer = mirror.get(TARGET)
    assert (answer.status, answer["Docker-Content-Digest"]) == (200, app.top)
    assert answer.body == app.manifests[app.top][1]


@pytest.mark.parametrize("name", sorted(BODIES))
def test_no_manifest_for_a_known_tag(ruled, origin, app, name):
    """The last good one, stale, and with its own media type."""
    mirror = ruled(ttl="0s", stale="1h")
    fresh = mirror.get(TARGET)
    settle(mirror)
    wall_off(origin, name)
    answer = mirror.get(TARGET)
    assert (answer.status, answer.body) == (200, fresh.body)
    assert answer["Warning"].startswith('299 - "')
    assert answer["Docker-Content-Digest"] == app.top
    assert answer["Content-Type"] == fresh["Content-Type"]


def test_manifest_without_its_digest(own, origin, app):
    """Some registries leave the header out; it is a manifest all the same."""
    origin.when("manifests", fields={"Docker-Content-Digest": None, "ETag": None})
    for _ in range(2):
        answer = own.get(TARGET)
        assert (answer.status, answer["Docker-Content-Digest"]) == (200, app.top)
        assert answer.body == app.manifests[app.top][1]


# ---- deleted ---------------------------------------------------------------------------

@pytest.mark.parametrize("asked_by", ["get", "head"])
def test_deleted_tag_is_not_stale_later(ruled, origin, app, asked_by):
    """The upstream's 404 outlives the upstream, which fails at once here: a
    400 is not tried again."""
    mirror = ruled(ttl="0s", stale="1h")
    mirror.get(TARGET)
    settle(mirror)
    del origin.repositories["lib/app"].tags["1.0"]
    assert getattr(mirror, asked_by)(TARGET).status == 404
    settle(mirror)
    origin.when("", status=400)
    answer = mirror.get(TARGET)
    assert answer.status in (502, 503) and answer.error_code() == "UNAVAILABLE", answer
    assert mirror.get(f"/v2/lib/app/manifests/{app.top}").status == 200


def test_deleted_immutable_tag_stays(ruled, origin, app):
    mirror = ruled(immutable=True, ttl="0s", stale="0s")
    mirror.get(TARGET)
    settle(mirror)
    del origin.repositories["lib/app"].tags["1.0"]
    wait_until(lambda: mirror.get(TARGET).status == 200
               and origin.requests("manifests/1.0", status=404),
               what="the mirror to hear of it")
    settle(mirror)
    origin.stop()
    for method in (mirror.get, mirror.head):
        answer = method(TARGET)
        assert (answer.status, answer["Docker-Content-Digest"]) == (200, app.top)


# ---- lists -----------------------------------------------------------------------------

@pytest.mark.parametrize("n", ["abc", "-1", "1x", "", "%00", "99999999999999999999"])
def test_odd_n_of_a_cold_list(own, origin, app, n):
    """It is wrong whatever the upstream would say, so nobody is asked."""
    target = f"/v2/lib/app/tags/list?n={n}"
    answer = own.get(target)
    assert (answer.status, own.get("/v2/lib/app/tags/list?n=1").status) == (400, 200)
    assert answer.error_code()
    assert origin.count("tags/list") == 1
    origin.stop()
    answer = own.get(f"/v2/lib/cold/tags/list?n={n}")
    assert answer.status == 400 and answer.error_code()
