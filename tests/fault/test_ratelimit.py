"""Docker Hub's limits: read, shown, obeyed; stores keep their share."""

import pytest

from conftest import UPSTREAM
from lib import images
from lib.railhead import registry_at
from lib.wait import wait_until

TARGET = "/v2/lib/app/manifests/1.0"


@pytest.fixture
def app(origin, new_seed):
    content = origin.load("lib/app", images.image(size=64, tag="1.0", seed=new_seed()))

    def move():
        newer = images.image(size=64, tag="1.0", seed=new_seed())
        origin.load("lib/app", newer)
        return newer.top

    content.move = move
    return content


@pytest.fixture
def mirror(start, origin):
    """Tags are old at once; at least 20 requests are for pulls."""
    return start({UPSTREAM: registry_at(origin.url, ratelimit_floor=20)},
                 tags=[{"match": "*", "ttl": "0s", "stale": "1h"}])


def left(origin, count):
    origin.when("manifests", fields={"ratelimit-limit": "100;w=21600",
                                     "ratelimit-remaining": f"{count};w=21600"})


def endpoint(mirror):
    return mirror.admin("/v1/upstreams").json()["upstreams"][0]["endpoints"][0]


def asks_ended(mirror):
    return sum('"kind":"tag"' in line and '"to":"done"' in line
               for line in mirror.log().splitlines())


def ask(mirror):
    """GETs the tag and waits until what that has begun has ended: who comes
    sooner is answered by it."""
    before = asks_ended(mirror)
    answer = mirror.get(TARGET)
    wait_until(lambda: asks_ended(mirror) > before)
    return answer


def digest_of(answer):
    return answer["Docker-Content-Digest"]


def test_it_is_shown(mirror, origin, app):
    left(origin, 93)
    assert mirror.get(TARGET).status == 200
    assert mirror.metric("upstream_ratelimit_remaining", upstream=UPSTREAM,
                         endpoint=origin.authority) == 93
    assert (endpoint(mirror)["ratelimit"], endpoint(mirror)["ratelimit_remaining"]) == (100, 93)


def test_tags_are_checked_by_head(mirror, origin, app):
    """HEADs do not count."""
    for _ in range(5):
        assert ask(mirror).status == 200
    assert origin.count("GET .*manifests") == 1
    assert origin.count("HEAD .*manifests/1.0") == 5


@pytest.mark.parametrize("count, spends", [(20, 1), (19, 0)])
def test_below_the_floor_a_check_in_the_background_spends_nothing(start, origin, app, count,
                                                                  spends):
    """An answer is here, nobody waits.  This upstream's HEADs tell no digest,
    so that only a GET would."""
    mirror = start({UPSTREAM: registry_at(origin.url, ratelimit_floor=20)},
                   tags=[{"match": "*", "immutable": True, "ttl": "0s"}])
    assert ask(mirror).status == 200
    origin.when("manifests", fields={"ratelimit-remaining": f"{count};w=21600",
                                     "Docker-Content-Digest": None})
    origin.forget()
    assert digest_of(ask(mirror)) == app.top
    assert origin.count("HEAD .*manifests/1.0") == 1
    assert origin.count("GET .*manifests") == spends


def test_below_the_floor_pulls_go_on(mirror, origin, app, new_seed):
    left(origin, 1)
    assert mirror.get(TARGET).status == 200
    other = origin.load("lib/other", images.image(size=64, tag="2.0", seed=new_seed()))
    assert digest_of(mirror.get("/v2/lib/other/manifests/2.0")) == other.top


def test_429_opens_the_breaker_as_long_as_it_says(mirror, origin, app):
    """One is enough; what is stale is served meanwhile, and nobody asks."""
    ask(mirror)
    origin.when("", status=429, fields={"Retry-After": "3600"})
    assert digest_of(ask(mirror)) == app.top
    assert mirror.metric("breaker_state") == 2
    asked = origin.count()
    for _ in range(5):
        stale = ask(mirror)
        assert digest_of(stale) == app.top
        assert stale["Warning"].startswith('299 - "')
    assert origin.count() == asked
    assert endpoint(mirror)["state"] == "limited"
    assert mirror.get(f"/v2/lib/app/manifests/{app.top}").status == 200
