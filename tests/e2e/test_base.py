"""GET /v2/: is this a registry?"""


def test_base_is_200_with_json(mirror):
    answer = mirror.get("/v2/")
    assert answer.status == 200
    assert answer["Content-Type"].startswith("application/json")
    assert answer.json() == {}


def test_head_of_base_has_no_body(mirror):
    with mirror.wire() as wire:
        assert wire.ask("/v2/", "HEAD").status == 200
        assert wire.ask("/v2/").status == 200


def test_base_needs_no_upstream(mirror, upstream):
    before = len(upstream.seen)
    mirror.get("/v2/?ns=registry.test")
    assert len(upstream.seen) == before


def test_no_challenge_even_when_credentials_are_shown(mirror):
    answer = mirror.get("/v2/", authorization="Basic am9lOnNlY3JldA==")
    assert answer.status == 200
    assert answer["WWW-Authenticate"] is None
