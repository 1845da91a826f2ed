"""The control plane: health, status, upstreams, hosts, tokens and roles."""

import json
import ssl

import pytest

from conftest import UPSTREAM
from lib import images
from lib.ports import free_port
from lib.railhead import registry_at, run
from lib.wait import wait_until
from lib.wire import Wire, ask, trusting

TOKENS = {"read": "reader-0123456789", "release": "releaser-0123456789",
          "operate": "operator-0123456789"}


def tokens_file(tmp_path):
    path = tmp_path / "tokens.yaml"
    path.write_text(json.dumps({"tokens": [
        {"name": f"the-{role}", "role": role, "token": token}
        for role, token in TOKENS.items()]}))
    path.chmod(0o600)
    return path


def test_healthz_and_readyz(own):
    assert own.admin("/healthz").status == 200
    assert own.admin("/readyz").status == 200


def test_ready_with_every_upstream_down(start):
    mirror = start({UPSTREAM: registry_at("http://127.0.0.1:1")})
    assert mirror.admin("/readyz").status == 200


def test_status(own, origin):
    content = origin.load("lib/x", images.image(size=2000, tag="1.0"))
    own.get("/v2/lib/x/manifests/1.0")
    own.get(f"/v2/lib/x/blobs/{content.config}")
    own.wait_stored(2)
    own.get(f"/v2/lib/x/blobs/{content.config}")
    status = own.admin("/v1/status").json()
    assert status["region"] == "test-1"
    assert status["ready"] is True
    assert status["store"]["objects"] == 2
    assert status["store"]["path"] == str(own.store)
    assert status["requests"]["miss"] == 2 and status["requests"]["hit"] == 1
    assert status["upstreams"] == {"up": 1, "down": 0}


def test_upstreams(own, origin):
    origin.load("lib/x", images.image(size=64, tag="1.0"))
    own.get("/v2/lib/x/manifests/1.0")
    text = own.admin("/v1/upstreams").body.decode()
    assert UPSTREAM in text and origin.authority in text


def test_upstream_that_is_down_is_told(start, origin):
    mirror = start({UPSTREAM: registry_at("http://127.0.0.1:1")})
    assert mirror.get("/v2/lib/x/manifests/1.0").status == 503
    text = mirror.admin("/v1/upstreams").body.decode()
    assert "127.0.0.1:1" in text
    assert mirror.metric("upstream_errors_total", upstream=UPSTREAM) >= 1
    assert mirror.metric("upstream_up", upstream=UPSTREAM) == 0
    assert mirror.admin("/v1/status").json()["upstreams"] == {"up": 0, "down": 1}


@pytest.mark.parametrize("path", ["/nope", "/v1/", "/v1/nope", "/v2/", "/v1/status/more"])
def test_unknown_path(own, path):
    answer = own.admin(path)
    assert answer.status == 404
    assert answer.error_code()


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
@pytest.mark.parametrize("path", ["/v1/status", "/metrics", "/healthz"])
def test_wrong_method(own, method, path):
    answer = own.admin(path, method)
    assert answer.status == 405
    assert "GET" in answer["Allow"]


def test_head_of_the_control_plane(own):
    for path in ("/healthz", "/metrics", "/v1/status"):
        answer = own.admin(path, "HEAD")
        assert (answer.status, answer.body) == (200, b"")


def test_errors_name_code_message_field_and_line(own):
    error = own.admin("/v1/hosts?mirror=nonsense").json()["errors"][0]
    assert set(error) == {"code", "message", "field", "line"}
    assert error["field"] == "mirror"


def test_hosts_by_url(own):
    answer = own.admin("/v1/hosts?mirror=http://mirror.test:5000")
    assert answer.status == 200
    assert UPSTREAM in answer.body.decode()
    assert "http://mirror.test:5000" in answer.body.decode()


# ---- who may ---------------------------------------------------------------------

@pytest.fixture
def locked(start, origin, tmp_path):
    return start({UPSTREAM: registry_at(origin.url)},
                 admin={"tokens": str(tokens_file(tmp_path))})


@pytest.mark.parametrize("path", ["/metrics", "/v1/status", "/v1/upstreams"])
def test_without_a_token(locked, path):
    answer = locked.admin(path)
    assert answer.status == 401
    assert answer["WWW-Authenticate"].startswith("Bearer")
    assert answer.error_code() == "UNAUTHORIZED"


@pytest.mark.parametrize("path", ["/metrics", "/v1/status", "/v1/upstreams"])
@pytest.mark.parametrize("role", sorted(TOKENS))
def test_with_a_token(locked, path, role):
    assert locked.admin(path, token=TOKENS[role]).status == 200


@pytest.mark.parametrize("token", ["x", "reader-012345678", "reader-01234567890", "",
                                   "READER-0123456789", "a" * 600])
def test_with_a_wrong_token(locked, token):
    assert locked.admin("/v1/status", token=token or " ").status == 401


@pytest.mark.parametrize("what", ["gate", "ready"])
def test_a_proof_needs_more_than_a_look(locked, what):
    path = f"/v1/releases/nope/{what}"
    assert locked.admin(path, token=TOKENS["read"]).status == 404
    assert locked.admin(f"{path}?verify=false", token=TOKENS["read"]).status == 404
    assert locked.admin(f"{path}?verify=true", token=TOKENS["read"]).status == 403
    assert locked.admin(f"{path}?verify=true", token=TOKENS["release"]).status == 404


def test_health_needs_no_token(locked):
    assert locked.admin("/healthz").status == 200
    assert locked.admin("/readyz").status == 200


def test_tokens_are_never_shown(locked):
    for role, token in TOKENS.items():
        text = locked.admin("/v1/status", token=token).body.decode()
        assert token not in text
        assert token not in locked.log()


def test_tokens_are_read_again(locked, tmp_path):
    TOKENS_AFTER = {"tokens": [{"name": "new", "role": "read", "token": "fresh-0123456789abc"}]}
    (tmp_path / "tokens.yaml").write_text(json.dumps(TOKENS_AFTER))
    locked.write_config()
    import signal
    locked.daemon.signal(signal.SIGHUP)
    wait_until(lambda: locked.admin("/v1/status", token="fresh-0123456789abc").status == 200,
               what="the new token")
    assert locked.admin("/v1/status", token=TOKENS["read"]).status == 401


def test_control_plane_over_tls_with_client_certificates(start, origin, authority,
                                                         server_certificate):
    """Whoever has a certificate may do all; tokens are not needed then, nor a name."""
    mirror = start({UPSTREAM: registry_at(origin.url)})
    port = mirror.admin_port
    mirror.stop()
    mirror.config["admin"]["tls"] = {
        "certificate": str(server_certificate.crt), "key": str(server_certificate.key),
        "client_ca": str(authority.ca.crt)}
    operator = trusting(authority, authority.issue("operator", is_client=True))
    mirror.is_ready = lambda: _is_up(port, operator)
    mirror.start()
    assert ask(port, "/v1/status", tls=operator).status == 200
    nameless = trusting(authority, authority.issue("nameless", is_client=True, subject="/O=Depot"))
    assert ask(port, "/v1/status", tls=nameless).status == 200
    with pytest.raises((ssl.SSLError, ConnectionError)):
        with Wire(port, tls=trusting(authority)) as wire:
            wire.ask("/v1/status")


def _is_up(port, tls):
    try:
        return ask(port, "/readyz", tls=tls).status == 200
    except OSError:
        return False


# ---- railhead status ----------------------------------------------------------------

def test_status_for_people(own):
    done = run("status", "--config", own.config_file)
    assert done.returncode == 0, done.stderr
    assert "test-1" in done.stdout
    assert UPSTREAM in done.stdout


def test_status_for_machines(own):
    done = run("status", "--json", "--config", own.config_file)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)


def test_status_of_nobody(tmp_path):
    path = tmp_path / "railhead.yaml"
    path.write_text(json.dumps({"admin": {"address": f"127.0.0.1:{free_port()}"},
                                "upstreams": {"a.test": None}}))
    done = run("status", "--config", path)
    assert done.returncode == 3
    assert "127.0.0.1" in done.stderr
