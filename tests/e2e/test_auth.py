"""Who we are to upstreams: tokens, basic credentials, redirects."""

import json
import os

import pytest

from conftest import UPSTREAM
from lib import images, tokens
from lib.faulty import Faulty
from lib.railhead import registry_at
from lib.wait import Gate, in_background, wait_until

JOE, PASSWORD = "joe", "not-for-everybody"
ACCOUNTS = {JOE: PASSWORD}


@pytest.fixture
def token_server(signer):
    with tokens.TokenServer(signer, accounts=ACCOUNTS) as server:
        yield server


@pytest.fixture
def guarded(origin, token_server, new_seed):
    """lib/app on a registry that wants tokens."""
    origin.guard = token_server.guard
    return origin.load("lib/app", images.image(size=2000, tag="1.0", seed=new_seed()))


def pull(mirror, content, repository="lib/app"):
    assert mirror.get(f"/v2/{repository}/manifests/1.0").status == 200
    for digest, data in content.blobs.items():
        assert mirror.get(f"/v2/{repository}/blobs/{digest}").body == data


def credentials(tmp_path, how, host):
    if how == "config.json":
        path = tokens.docker_config(tmp_path / "config.json", host, JOE, PASSWORD)
        return {"docker_config": str(path)}
    path = tmp_path / "password"
    path.write_text(PASSWORD + "\n")
    return {"username": JOE, "password_file": str(path)}


def test_anonymous_token(start, origin, token_server, guarded):
    pull(start({UPSTREAM: registry_at(origin.url)}), guarded)
    assert set(token_server.granted) == {(None, "repository:lib/app:pull")}


def test_token_is_shared(start, origin, token_server, guarded):
    """One for all requests of a repository."""
    pull(start({UPSTREAM: registry_at(origin.url)}), guarded)
    assert len(token_server.granted) == 1
    assert len(origin.requests(status=401)) <= 1


@pytest.mark.parametrize("how", ["config.json", "password_file"])
def test_token_with_credentials(start, tmp_path, origin, token_server, guarded, how):
    token_server.is_anonymous_allowed = False
    mirror = start({UPSTREAM: registry_at(
        origin.url, auth=credentials(tmp_path, how, origin.authority))})
    pull(mirror, guarded)
    assert {account for account, _ in token_server.granted} == {JOE}
    assert PASSWORD not in mirror.log()


def test_identity_token(start, tmp_path, origin, token_server, guarded):
    """What `docker login` keeps for some registries is traded in by POST."""
    token_server.is_anonymous_allowed = False
    token_server.refresh_tokens = {"refresh-me-please": JOE}
    path = tmp_path / "config.json"
    path.write_text(json.dumps({"auths": {origin.authority: {
        "identitytoken": "refresh-me-please"}}}))
    mirror = start({UPSTREAM: registry_at(origin.url, auth={"docker_config": str(path)})})
    pull(mirror, guarded)
    assert {account for account, _ in token_server.granted} == {JOE}
    assert "refresh-me-please" not in mirror.log()


def test_credential_helper(start, tmp_path, monkeypatch, origin, token_server, guarded):
    token_server.is_anonymous_allowed = False
    helper = tmp_path / "docker-credential-tests"
    helper.write_text(f'''#!/bin/sh
read -r host
[ "$1" = get ] && printf '{{"ServerURL":"%s","Username":"{JOE}","Secret":"{PASSWORD}"}}' "$host"
''')
    helper.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    path = tmp_path / "config.json"
    path.write_text(json.dumps({"credHelpers": {origin.authority: "tests"}}))
    mirror = start({UPSTREAM: registry_at(origin.url, auth={"docker_config": str(path)})})
    pull(mirror, guarded)
    assert {account for account, _ in token_server.granted} == {JOE}


def test_access_token_is_understood_too(start, origin, token_server, guarded):
    token_server.key = "access_token"
    pull(start({UPSTREAM: registry_at(origin.url)}), guarded)


@pytest.mark.threads
def test_many_wait_for_one_token(start, origin, token_server, guarded):
    mirror = start({UPSTREAM: registry_at(origin.url)})
    token_server.before = Gate()
    targets = [f"/v2/lib/app/blobs/{digest}" for digest in guarded.blobs] * 5
    clients = [in_background(mirror.get, target) for target in targets]
    token_server.before.wait_arrival()
    mirror.wait_clients(lambda have: have >= len(targets))
    token_server.before.open()
    assert all(client.join().status == 200 for client in clients)
    assert len(token_server.granted) == 1


def test_token_that_has_expired_is_renewed(start, origin, token_server, guarded):
    mirror = start({UPSTREAM: registry_at(origin.url)})
    first, *others = guarded.blobs
    assert mirror.get(f"/v2/lib/app/blobs/{first}").status == 200
    token_server.expire_all()
    for digest in others:
        assert mirror.get(f"/v2/lib/app/blobs/{digest}").status == 200
    assert len(token_server.granted) == 2


@pytest.mark.parametrize("status", [401, 403, 500, 503, 429])
def test_token_server_that_refuses(start, origin, token_server, guarded, status):
    """Denied is 404 (as configured); broken is 503.  Never a 401."""
    mirror = start({UPSTREAM: registry_at(origin.url)})
    token_server.status = status
    answer = mirror.get(f"/v2/lib/app/manifests/{guarded.top}")
    assert answer.status == (404 if status in (401, 403) else 503), answer
    assert answer["WWW-Authenticate"] is None


def test_token_server_is_down(start, origin, token_server, guarded):
    mirror = start({UPSTREAM: registry_at(origin.url)})
    token_server.stop()
    assert mirror.get("/v2/lib/app/manifests/1.0").status == 503


def test_cached_content_needs_no_token(start, origin, token_server, guarded):
    mirror = start({UPSTREAM: registry_at(origin.url)})
    pull(mirror, guarded)
    token_server.stop()
    origin.stop()
    pull(mirror, guarded)


@pytest.mark.parametrize("how", ["config.json", "password_file"])
def test_basic(start, tmp_path, origin, new_seed, how):
    content = origin.load("lib/app", images.image(size=2000, tag="1.0", seed=new_seed()))
    origin.guard = tokens.basic_guard(ACCOUNTS)
    mirror = start({UPSTREAM: registry_at(
        origin.url, auth=credentials(tmp_path, how, origin.authority))})
    pull(mirror, content)
    assert PASSWORD not in mirror.log()


@pytest.mark.parametrize("denied, status", [(404, 404), (403, 403)])
def test_denied(start, origin, new_seed, denied, status):
    content = origin.load("lib/app", images.image(size=64, tag="1.0", seed=new_seed()))
    origin.guard = tokens.basic_guard(ACCOUNTS)
    mirror = start({UPSTREAM: registry_at(origin.url, denied=denied)})
    for tail in ("manifests/1.0", f"manifests/{content.top}", f"blobs/{content.config}"):
        answer = mirror.get(f"/v2/lib/app/{tail}")
        assert answer.status == status
        assert answer["WWW-Authenticate"] is None


def test_clients_authorization_is_not_passed_on(start, origin, new_seed):
    origin.load("lib/app", images.image(size=64, tag="1.0", seed=new_seed()))
    mirror = start({UPSTREAM: registry_at(origin.url)})
    answer = mirror.get("/v2/lib/app/manifests/1.0", authorization="Bearer clients-own-secret")
    assert answer.status == 200
    assert all(request["Authorization"] is None for request in origin.seen)
    assert "clients-own-secret" not in mirror.log()
    assert not any(b"clients-own-secret" in path.read_bytes()
                   for path in mirror.store.rglob("*") if path.is_file())


@pytest.mark.parametrize("guard", ["token", "basic"])
def test_redirect_does_not_see_the_authorization(start, tmp_path, origin, signer, new_blob, guard):
    """To another host and port."""
    content = origin.load("lib/app", new_blob(images.MIB * 2))
    with Faulty() as store, tokens.TokenServer(signer, accounts=ACCOUNTS) as token_server:
        store.load("lib/app", content)
        origin.guard = token_server.guard if guard == "token" else tokens.basic_guard(ACCOUNTS)
        redirecting = origin.guard
        # First who it is, then where it lies.
        origin.guard = lambda request: redirecting(request) or _elsewhere(request, store)
        mirror = start({UPSTREAM: registry_at(
            origin.url, auth=credentials(tmp_path, "password_file", origin.authority))})
        target = f"/v2/lib/app/blobs/{content.blob}"
        assert mirror.get(target).body == content.blobs[content.blob]
        assert any(request["Authorization"] for request in origin.seen)
        assert store.seen
        assert all(request["Authorization"] is None for request in store.seen)


def _elsewhere(request, store):
    from lib.server import Reply
    if "/blobs/" in request.path:
        return Reply(307, {"Location": store.url.replace("127.0.0.1", "localhost")
                           + request.target})
    return None


def test_redirect_in_a_circle(start, origin, new_blob):
    content = origin.load("lib/app", new_blob(100))
    origin.when("blobs", redirect=origin.url)
    mirror = start({UPSTREAM: registry_at(origin.url)})
    answer = mirror.get(f"/v2/lib/app/blobs/{content.blob}")
    assert answer.status == 503
    assert origin.count("blobs") < 200


def test_redirect_to_nowhere(start, origin, new_blob):
    content = origin.load("lib/app", new_blob(100))
    origin.when("blobs", redirect="http://127.0.0.1:1")
    mirror = start({UPSTREAM: registry_at(origin.url)})
    assert mirror.get(f"/v2/lib/app/blobs/{content.blob}").status == 503
    origin.heal()
    wait_until(lambda: mirror.get(f"/v2/lib/app/blobs/{content.blob}").status == 200)


def test_redirect_to_a_scheme_that_is_not_http(start, origin, new_blob):
    content = origin.load("lib/app", new_blob(100))
    origin.when("blobs", redirect="file:///etc/passwd?")
    mirror = start({UPSTREAM: registry_at(origin.url)})
    answer = mirror.get(f"/v2/lib/app/blobs/{content.blob}")
    assert answer.status == 503
    assert b"root:" not in answer.body


def test_odd_challenges(start, origin, new_seed):
    content = origin.load("lib/app", images.image(size=64, tag="1.0", seed=new_seed()))
    from lib.faulty import refusing
    mirror = start({UPSTREAM: registry_at(origin.url)})
    for text in ("", "Bearer", "Bearer realm", 'Bearer realm="', "Negotiate",
                 'Bearer realm="ftp://x/"', 'Bearer realm="/relative"', "\x80" * 500):
        origin.guard = refusing(401, **{"WWW-Authenticate": text})
        answer = mirror.get(f"/v2/lib/app/manifests/{content.top}")
        assert answer.status in (404, 503), (text, answer)


def test_layouts_and_registries_have_no_accounts_in_status(start, tmp_path, origin):
    mirror = start({UPSTREAM: registry_at(
        origin.url, auth=credentials(tmp_path, "password_file", origin.authority))})
    for target in ("/v1/status", "/v1/upstreams", "/metrics"):
        assert PASSWORD not in json.dumps(mirror.admin(target).body.decode())
