"""The control plane and the commands of releases: lists, plans, words, events."""

import json
import os
import pty
import re
import subprocess

import pytest

from conftest import UPSTREAM
from lib import images, wire
from lib.images import MIB
from lib.railhead import BINARY, SANITIZERS, registry_at, run
from lib.releases import Releases
from lib.wait import Gate, wait_until
from lib.wire import Wire


@pytest.fixture
def releases(own):
    return Releases(own, UPSTREAM)


@pytest.fixture
def new_app(origin, new_seed):
    """An image that nobody has seen; its pinned reference."""
    def make(name="team/app", **more):
        content = origin.load(name, images.image(seed=new_seed(), **more))
        content.reference = f"{UPSTREAM}/{name}@{content.top}"
        return content
    return make


def command(mirror, *words, stdin=None, **more):
    return run(*words, "--admin", f"http://127.0.0.1:{mirror.admin_port}", stdin=stdin, **more)


# ---- accepting ---------------------------------------------------------------------

def test_the_same_body_again(releases, new_app):
    app, other = new_app(), new_app("team/other")
    first = releases.put("r1", app.reference)
    assert (first["new"], first["changed"]) == (True, True)
    again = releases.put("r1", app.reference)
    assert (again["new"], again["changed"]) == (False, False)
    changed = releases.put("r1", app.reference, other.reference)
    assert (changed["new"], changed["changed"]) == (False, True)
    assert changed["images"]["total"] == 2


def test_text_and_yaml(releases, new_app):
    app = new_app()
    text = f"# ring 1\n{app.reference}  # the app\n".encode()
    answer = releases.ask("/v1/releases/t?priority=9&platforms=linux/amd64", "PUT", text,
                          "text/plain")
    assert answer.status == 201, answer
    assert answer.json()["priority"] == 9
    yaml = f"priority: 2\nimages:\n  - {app.reference}\n".encode()
    answer = releases.ask("/v1/releases/y", "PUT", yaml, "application/yaml")
    assert answer.status == 201 and answer.json()["priority"] == 2


def test_every_wrong_line_at_once(releases, new_app):
    app = new_app()
    text = f"{app.reference}\nnope:1\nquay.test/x@{app.top}\ntwo words\n".encode()
    answer = releases.ask("/v1/releases/w", "PUT", text, "text/plain")
    assert answer.status == 400
    errors = answer.json()["errors"]
    assert [error["line"] for error in errors] == [2, 3, 4]
    assert answer.json()["found"] == 3
    assert "quay.test is no upstream" in errors[1]["message"]
    assert releases.ask("/v1/releases/w").status == 404


def test_wrong_fields_have_names(releases):
    body = {"images": [{"image": "a:1", "platforms": ["x"]}], "priority": 10, "colour": 1}
    errors = releases.ask("/v1/releases/w", "PUT", body).json()["errors"]
    assert {error["field"] for error in errors} == {
        "images[0].image", "images[0].platforms", "priority", "colour"}


@pytest.mark.parametrize("name", [".r", "-r", "r%20x", "r" * 129])
def test_names(releases, name):
    answer = releases.ask(f"/v1/releases/{name}", "PUT", {"images": []})
    assert answer.status == 400
    assert answer.json()["errors"][0]["field"] == "name"


@pytest.mark.parametrize("query", ["priority=x", "dry_run=perhaps", "stores=-1", "what=1"])
def test_wrong_queries(releases, query):
    assert releases.ask(f"/v1/releases/q?{query}", "PUT", {"images": []}).status == 400


def test_ten_thousand_images(releases, new_app):
    app = new_app()
    lines = "".join(f"{UPSTREAM}/team/app-{i}@{app.top}\n" for i in range(10000))
    answer = releases.ask("/v1/releases/many", "PUT", lines.encode(), "text/plain")
    assert answer.status == 201 and answer.json()["images"]["total"] == 10000
    releases.delete("many")


def test_tags_are_pinned_on_request(releases, new_app):
    app = new_app(tag="1.0")
    reference = f"{UPSTREAM}/team/app:1.0"
    assert releases.ask("/v1/releases/t", "PUT", {"images": [reference]}).status == 400
    answer = releases.put("t", reference, resolve_tags=True)
    assert answer["pinned"] == [f"{reference}@{app.top}"]


# ---- asking ------------------------------------------------------------------------

def test_pages(releases, new_app):
    app = new_app()
    for name in "abcde":
        releases.put(name, app.reference)
    page = releases.ask("/v1/releases?limit=2").json()
    assert [row["release"] for row in page["releases"]] == ["a", "b"]
    assert page["next"] == "b"
    rest = releases.ask("/v1/releases?limit=10&after=b").json()
    assert [row["release"] for row in rest["releases"]] == ["c", "d", "e"]
    assert rest["next"] is None
    for name in "abcde":
        releases.wait_state(name, "ready")
    assert releases.ask("/v1/releases?state=failed,held").json()["releases"] == []
    assert len(releases.ask("/v1/releases?state=ready").json()["releases"]) == 5
    assert releases.ask("/v1/releases?state=done").status == 400
    assert releases.ask("/v1/releases?limit=0").status == 400


def test_pages_of_images(releases, new_app, origin):
    apps = [new_app(f"team/app{i}", layers=1, size=1000) for i in range(5)]
    releases.put("r", *(app.reference for app in apps))
    releases.wait_state("r", "ready")
    page = releases.get("r", "?limit=2&after=2")
    assert [row["image"] for row in page["list"]] == [apps[2].reference, apps[3].reference]
    assert page["next"] == 4
    assert releases.get("r", "?state=failed")["list"] == []
    parts = releases.get("r", "?image=1")["parts"]
    assert {part["digest"] for part in parts} == {
        apps[1].top, apps[1].config, *apps[1].layers}
    assert {part["state"] for part in parts} == {"ready"}


def test_unknown_release(releases):
    for target, method in [("", "GET"), ("/gate", "GET"), ("/ready", "GET"), ("/events", "GET"),
                           ("", "DELETE"), ("/hold", "POST"), ("/verify", "POST")]:
        answer = releases.ask(f"/v1/releases/nope{target}", method)
        assert answer.status == 404, (target, answer)
    assert releases.ask("/v1/releases/nope/what").status == 404
    assert releases.ask("/v1/releases/nope/gate", "PUT").status == 405


def test_hold_and_resume(releases, new_app, origin):
    app = new_app()
    origin.when("GET .*/blobs/", before=Gate())
    releases.put("r", app.reference)
    releases.wait_state("r", "warming")
    held = releases.say("r", "hold")
    assert held["state"] == "held" and "127.0.0.1" in held["held_by"]
    origin.heal()
    releases.say("r", "resume")
    releases.say("r", "retry")
    assert releases.wait_state("r", "ready")["held_by"] is None


def test_roles(start, origin, tmp_path, new_seed):
    tokens = {role: f"{role}-0123456789abcdef" for role in ("read", "release", "operate")}
    path = tmp_path / "tokens.yaml"
    path.write_text(json.dumps({"tokens": [
        {"name": role, "role": role, "token": token} for role, token in tokens.items()]}))
    path.chmod(0o600)
    mirror = start({UPSTREAM: registry_at(origin.url)}, admin={"tokens": str(path)})
    for role, target, method, status in [
            (None, "/v1/releases", "GET", 401), ("read", "/v1/releases", "GET", 200),
            ("read", "/v1/releases/r/gate", "GET", 404),
            ("read", "/v1/releases/r", "DELETE", 403),
            ("release", "/v1/releases/r", "DELETE", 404),
            ("release", "/v1/freeze", "DELETE", 403), ("operate", "/v1/freeze", "DELETE", 200)]:
        token = tokens[role] if role else None
        assert mirror.admin(target, method, token=token).status == status, (role, target, method)


# ---- plans -------------------------------------------------------------------------

def test_plan(start, origin, new_app, new_seed):
    app = new_app(layers=2, size=MIB)
    mirror = start({UPSTREAM: registry_at({"url": origin.url, "link": "wan"})},
                   links={"wan": {"rate": "80Mbit", "prewarm": "8Mbit", "overhead": "0%"}})
    releases = Releases(mirror, UPSTREAM)
    answer = releases.ask("/v1/releases/p?dry_run=true&stores=100", "PUT", {
        "images": [{"image": app.reference}], "deadline": "2099-01-01T00:00:00Z"})
    assert answer.status == 200, answer
    plan = answer.json()
    blobs = sum(map(len, app.blobs.values()))
    assert blobs <= plan["bytes_unique"] <= app.unique_bytes()
    assert blobs <= plan["bytes_missing"] <= app.unique_bytes()
    assert plan["deadline_holds"] is True
    assert origin.count("/blobs/") == 0, "a plan asks for manifests only"
    [link] = plan["links"]
    seconds = plan["bytes_missing"] / 1e6
    assert seconds <= link["rates"][0]["seconds"] <= seconds + 1
    assert link["without_mirror"]["line_bytes"] == 100 * plan["bytes_unique"]
    assert releases.ask("/v1/releases/p").status == 404, "nothing was started"


def test_plan_command(own, new_app):
    app = new_app(layers=2, size=MIB)
    done = command(own, "plan", "p", "-f", "-", "--stores", "10", stdin=app.reference + "\n")
    assert done.returncode == 0, done
    assert "to come" in done.stdout and "10 stores without the mirror" in done.stdout
    late = command(own, "plan", "p", "-f", "-", "--deadline", "2020-01-01T00:00:00Z",
                   stdin=app.reference + "\n")
    assert late.returncode == 1 and "DOES NOT HOLD" in late.stdout


# ---- commands ----------------------------------------------------------------------

def test_warm(own, new_app, releases):
    app = new_app()
    done = command(own, "warm", "r", "-f", "-", "--wait", stdin=f"# mine\n{app.reference}\n")
    assert done.returncode == 0, done
    lines = done.stdout.splitlines()
    assert lines[-1].startswith("r: ready"), done.stdout
    assert any(line.startswith(f"{app.reference}: ready") for line in lines)
    assert command(own, "warm", "r").stdout.startswith("r: ready, 1 of 1 images ready")
    assert releases.state("r") == "ready"
    assert "0 corrupt" in command(own, "warm", "r", "--do", "verify").stdout
    assert command(own, "warm", "r", "--do", "delete").returncode == 0
    assert command(own, "warm", "r").returncode == 1


def test_warm_on_a_terminal(own, origin, new_app, tmp_path):
    app = new_app(layers=2, size=MIB)
    ring = tmp_path / "ring.txt"
    ring.write_text(app.reference + "\n")
    origin.when("GET .*/blobs/", rate=4 * MIB)
    ours, theirs = pty.openpty()
    done = subprocess.Popen(
        [BINARY, "warm", "r", "-f", ring, "--wait",
         "--admin", f"http://127.0.0.1:{own.admin_port}"],
        stdout=theirs, stderr=subprocess.PIPE, env={**os.environ, **SANITIZERS})
    os.close(theirs)
    seen = b""
    while True:
        try:
            seen += os.read(ours, 1 << 16)
        except OSError:     # nobody has the other end any more
            break
    os.close(ours)
    assert done.wait(30) == 0, done.stderr.read()
    done.stderr.close()
    text = seen.decode()
    assert app.reference[-20:] in text and "warming" in text
    assert "[####" in text and "\x1b[K" in text
    assert "ready" in text.splitlines()[-1] or "ready" in text.splitlines()[-2], text[-500:]


def test_events_of_nobody(own, releases, new_app):
    releases.put("r", new_app().reference)
    answer = wire.ask(own.admin_port, "/v1/releases/r/events", "HEAD")
    assert answer.status == 200 and answer.body == b""


def test_warm_out_of_kubernetes(own, new_app):
    app = new_app()
    yaml = f"kind: Pod\nspec: {{containers: [{{image: \"{app.reference}\"}}]}}\n"
    listed = run("images", stdin=yaml).stdout
    assert command(own, "warm", "r", "-f", "-", "--wait", stdin=listed).returncode == 0


def test_warm_wrong_list(own, tmp_path):
    wrong = tmp_path / "ring.txt"
    wrong.write_text("nginx:1\nx y\n")
    done = command(own, "warm", "r", "-f", wrong)
    assert done.returncode == 2
    assert f"{wrong}:1: image:" in done.stderr and f"{wrong}:2: image:" in done.stderr


def test_warm_one_bad_digest(own, new_app):
    app = new_app()
    bad = f"{UPSTREAM}/team/app@sha256:{'0' * 64}"
    done = command(own, "warm", "r", "-f", "-", "--wait", stdin=f"{app.reference}\n{bad}\n")
    assert done.returncode == 1, done
    assert re.search(rf"^{re.escape(bad)}: failed: ", done.stdout, re.M), done.stdout


def test_nobody_there():
    done = run("warm", "r", "--admin", "http://127.0.0.1:1")
    assert done.returncode == 3


@pytest.mark.parametrize("words", [
    ("warm",), ("warm", "a", "b"), ("warm", "r", "-f"), ("warm", "r", "--do", "dance"),
    ("plan", "r"), ("gate",), ("gate", "r", "--wait", "soon"), ("freeze", "--until", "4h")])
def test_wrong_use(words):
    assert run(*words).returncode == 2


# ---- events ------------------------------------------------------------------------

def read_events(wire):
    """Event and data of what comes, until the stream ends."""
    rest = b""
    while True:
        more = wire.socket.recv(1 << 16)
        if not more:
            return
        rest += more
        while b"\n\n" in rest:
            event, rest = rest.split(b"\n\n", 1)
            fields = dict(line.split(": ", 1) for line in event.decode().splitlines())
            if "data" in fields:
                yield fields["event"], json.loads(fields["data"])


def test_events(own, origin, releases, new_app):
    app = new_app()
    gate = Gate()
    origin.when("GET .*/blobs/", before=gate)
    releases.put("r", app.reference)
    with Wire(own.admin_port) as wire:
        wire.request("/v1/releases/r/events")
        answer = wire.head()
        assert answer["Content-Type"] == "text/event-stream"
        events = read_events(wire)
        kind, data = next(events)
        assert kind == "state" and data["list"][0]["image"] == app.reference
        gate.open()
        while data["state"] != "ready":
            kind, data = next(events)
        releases.delete("r")
        while kind != "gone":
            kind, data = next(events)
        assert list(events) == [], "it is the last event"


def test_events_end_with_the_mirror(own, releases, new_app):
    releases.put("r", new_app().reference)
    with Wire(own.admin_port) as wire:
        wire.request("/v1/releases/r/events")
        wire.head()
        own.stop()
        wait_until(lambda: not wire.socket.recv(1 << 16), what="the end of the stream")


# ---- lists that are files ----------------------------------------------------------

@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "releases.d"
    path.mkdir()
    return path


@pytest.fixture
def filed(start, origin, folder):
    mirror = start({UPSTREAM: registry_at(origin.url)}, releases={"folder": str(folder)})
    return Releases(mirror, UPSTREAM)


def test_files_are_read_at_start_and_when_they_change(start, origin, folder, new_app):
    app, other = new_app(), new_app("team/other")
    (folder / "ring1.yaml").write_text(f"images:\n  - {app.reference}\n")
    (folder / "README.md").write_text("not a list")
    mirror = start({UPSTREAM: registry_at(origin.url)}, releases={"folder": str(folder)})
    releases = Releases(mirror, UPSTREAM)
    wait_until(lambda: releases.ask("/v1/releases/ring1").status == 200, what="the list")
    releases.wait_state("ring1", "ready")
    (folder / "ring1.yaml").write_text(f"images:\n  - {app.reference}\n  - {other.reference}\n")
    wait_until(lambda: releases.get("ring1")["images"]["total"] == 2, what="the new list")
    (folder / "ring1.yaml").unlink()
    (folder / "ring2.json").write_text(json.dumps({"images": [app.reference]}))
    wait_until(lambda: releases.ask("/v1/releases/ring2").status == 200, what="ring2")
    assert releases.ask("/v1/releases/ring1").status == 200, "a lost file deletes nothing"


def test_a_wrong_file_changes_nothing(filed, folder, new_app):
    app = new_app()
    (folder / "r.yaml").write_text(f"images:\n  - {app.reference}\n")
    wait_until(lambda: filed.ask("/v1/releases/r").status == 200, what="the list")
    (folder / "r.yaml").write_text(f"images:\n  - {app.reference}\n  - nope:1\n  - x y\n")
    wait_until(lambda: filed.mirror.log().count("list of a release is wrong") == 2,
               what="both mistakes")
    assert '"line":3' in filed.mirror.log().replace(" ", "")
    assert filed.get("r")["images"]["total"] == 1
    (folder / "r.json").write_text(json.dumps({"images": []}))
    wait_until(lambda: "another file has a list" in filed.mirror.log(), what="the second file")
    assert filed.get("r")["images"]["total"] == 1


def test_a_wrong_file_may_become_right_by_a_reload(start, origin, folder, new_app):
    app = new_app()
    far = app.reference.replace(UPSTREAM, "far.test")
    (folder / "r.yaml").write_text(f"images: [\"{far}\"]\n")
    mirror = start({UPSTREAM: registry_at(origin.url)}, releases={"folder": str(folder)})
    wait_until(lambda: "far.test is no upstream" in mirror.log(), what="the mistake")
    mirror.config["upstreams"]["far.test"] = registry_at(origin.url)
    mirror.reload()
    Releases(mirror, "far.test").mirror.wait_metric("release_images", 1, release="r",
                                                    state="ready")


def test_many_wrong_files_become_right_by_a_reload(start, origin, folder, new_app):
    """More of them than one look reads."""
    app = new_app()
    far = app.reference.replace(UPSTREAM, "far.test")
    names = [f"r{i}" for i in range(40)]
    for name in names:
        (folder / f"{name}.yaml").write_text(f"images: [\"{far}\"]\n")
    mirror = start({UPSTREAM: registry_at(origin.url)}, releases={"folder": str(folder)})
    wait_until(lambda: mirror.log().count("far.test is no upstream") == len(names),
               what="all mistakes")
    mirror.config["upstreams"]["far.test"] = registry_at(origin.url)
    mirror.reload()
    releases = Releases(mirror, UPSTREAM)
    wait_until(lambda: len(releases.ask("/v1/releases").json()["releases"]) == len(names),
               what="all lists")


def test_a_file_may_be_renamed(filed, folder, new_app):
    app, other = new_app(), new_app("team/other")
    (folder / "r.yml").write_text(f"images:\n  - {app.reference}\n")
    filed_wait(filed, "r", 1)
    (folder / "r.yml").rename(folder / "r.yaml")
    (folder / "r.yaml").write_text(f"images:\n  - {app.reference}\n  - {other.reference}\n")
    filed_wait(filed, "r", 2)
    assert "another file has a list" not in filed.mirror.log()


def test_the_second_file_counts_once_the_first_is_gone(filed, folder, new_app):
    app, other = new_app(), new_app("team/other")
    (folder / "r.yml").write_text(f"images:\n  - {app.reference}\n")
    filed_wait(filed, "r", 1)
    (folder / "r.json").write_text(json.dumps({"images": [app.reference, other.reference]}))
    wait_until(lambda: "another file has a list" in filed.mirror.log(), what="the second file")
    (folder / "r.yml").unlink()
    filed_wait(filed, "r", 2)


def filed_wait(releases, name, n_images):
    def is_so():
        answer = releases.ask(f"/v1/releases/{name}")
        return answer.status == 200 and answer.json()["images"]["total"] == n_images
    wait_until(is_so, what=f"{name} to have {n_images} images")
