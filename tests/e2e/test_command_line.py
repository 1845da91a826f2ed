"""railhead check, hosts, version and --help."""

import json
import tomllib

import pytest

from lib.railhead import ROOT, run

GOOD = {
    "listen": [{"address": "127.0.0.1:5000"}],
    "upstreams": {"docker.io": {}, "registry.test": {
        "endpoints": [{"url": "https://registry.test"}]}},
}


@pytest.fixture
def config(tmp_path):
    """Writes a configuration; its path."""
    def write(value):
        path = tmp_path / "railhead.yaml"
        if not isinstance(value, str):
            value = json.dumps({"store": {"path": str(tmp_path / "store")}, **value}, indent=1)
        path.write_text(value)
        return path
    return write


@pytest.mark.parametrize("command", ["serve", "check", "status", "hosts", "version"])
def test_help(command):
    done = run(command, "--help")
    assert done.returncode == 0
    assert command in done.stdout


def test_help_of_all():
    done = run("--help")
    assert done.returncode == 0
    for command in ("serve", "check", "status", "hosts", "version"):
        assert command in done.stdout


@pytest.mark.parametrize("words", [(), ("nope",), ("check", "--nope"), ("serve", "--config"),
                                   ("hosts",), ("check", "extra")])
def test_wrong_use(words):
    done = run(*words)
    assert done.returncode == 2, done
    assert done.stderr


def test_version():
    done = run("version")
    assert done.returncode == 0
    assert done.stdout.strip()


# ---- check --------------------------------------------------------------------------

def test_check_of_a_folder_of_releases(config, tmp_path):
    path = config({**GOOD, "releases": {"folder": str(tmp_path / "nowhere")}})
    done = run("check", "--config", path)
    assert done.returncode == 1 and "releases.folder" in done.stderr, done
    (tmp_path / "nowhere").mkdir()
    assert run("check", "--config", path).returncode == 0


def test_check_of_a_good_file(config):
    done = run("check", "--config", config(GOOD))
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("name", ["railhead.yaml", "quickstart.yaml"])
def test_check_of_our_own_files(name, tmp_path):
    """Their syntax: what they point at need not be here."""
    done = run("check", "--config", ROOT / "conf" / name)
    assert "unknown" not in done.stderr
    assert done.returncode in (0, 1)


MISTAKES = {
    "unknown-key": ("listen:\n  - address: ':5000'\nstoer: {}\n", 3, ["stoer"]),
    "nested-unknown-key": ("store:\n  path: /tmp/x\n  size: 5GiB\n", 3, ["size", "capacity"]),
    "wrong-size": ("store:\n  path: /tmp/x\n  capacity: lots\n", 3, ["lots"]),
    "wrong-duration": ("limits:\n  drain: 5 parsecs\n", 2, ["parsecs"]),
    "wrong-address": ("listen:\n  - address: nowhere\n", 2, ["nowhere"]),
    "wrong-port": ("listen:\n  - address: '127.0.0.1:99999'\n", 2, ["99999"]),
    "wrong-url": ("upstreams:\n  a.test:\n    endpoints:\n      - url: ftp://x\n", 4, ["ftp"]),
    "unknown-default": ("default_upstream: b.test\nupstreams: {a.test: {}}\n", 1, ["b.test"]),
    "unknown-link": ("upstreams:\n  a.test:\n    endpoints:\n"
                     "      - {url: 'http://x', link: fibre}\n", 4, ["fibre"]),
    "twice": ("region: a\nregion: b\n", 2, ["region"]),
    "not-yaml": ("region: [a\n", 2, []),
    "tab": ("region:\n\t- a\n", 2, []),
    "wrong-word": ("log:\n  level: loud\n", 2, ["loud", "debug"]),
    "text-for-map": ("store: here\n", 1, ["store"]),
    "list-for-map": ("upstreams:\n  - a\n", 1, ["upstreams"]),
    "two-places": ("upstreams:\n  a.test:\n    endpoints:\n"
                   "      - {url: 'http://x', layout: /y}\n", 4, ["layout"]),
    "alias-twice": ("upstreams:\n  a.test: {aliases: [c.test]}\n  b.test: {aliases: [c.test]}\n",
                    3, ["c.test"]),
    "open-admin": ("admin:\n  address: '0.0.0.0:5001'\n", 2, ["token"]),
    "key-without-certificate": ("listen:\n  - address: ':5000'\n    tls: {key: /dev/null}\n",
                                3, ["certificate"]),
    "missing-file": ("listen:\n  - address: ':5000'\n"
                     "    tls: {certificate: /no/such.crt, key: /no/such.key}\n",
                     None, ["/no/such"]),
    "rate": ("links:\n  fibre: {rate: fast}\n", 2, ["fast"]),
    "days": ("links:\n  fibre:\n    windows:\n      - {days: someday}\n", 4, ["someday"]),
}


@pytest.mark.parametrize("name", sorted(MISTAKES))
def test_check_names_the_mistake(config, name):
    """File, line, what was found and what is allowed."""
    text, line, words = MISTAKES[name]
    path = config(text)
    done = run("check", "--config", path)
    assert done.returncode == 1, done
    place = f"{path}:{line}" if line else str(path)
    assert place in done.stderr, done.stderr
    for word in words:
        assert word in done.stderr, done.stderr


@pytest.mark.parametrize("name", ["unknown-key", "not-yaml", "open-admin"])
def test_serve_refuses_what_check_refuses(config, name):
    done = run("serve", "--config", config(MISTAKES[name][0]))
    assert done.returncode != 0
    assert "railhead.yaml" in done.stderr


def test_check_of_no_file(tmp_path):
    done = run("check", "--config", tmp_path / "none.yaml")
    assert done.returncode == 1
    assert "none.yaml" in done.stderr


def test_check_of_a_key_that_does_not_fit(config, tmp_path, authority):
    one, other = authority.issue("one"), authority.issue("other")
    done = run("check", "--config", config({**GOOD, "listen": [{
        "address": "127.0.0.1:5000",
        "tls": {"certificate": str(one.crt), "key": str(other.key)}}]}))
    assert done.returncode == 1
    assert str(other.key) in done.stderr or str(one.crt) in done.stderr


# ---- hosts ---------------------------------------------------------------------------

def written(folder):
    return {path.parent.name: tomllib.loads(path.read_text())
            for path in folder.glob("*/hosts.toml")}


def test_hosts(config, tmp_path):
    out = tmp_path / "certs.d"
    done = run("hosts", "--config", config(GOOD), "--mirror", "http://m.test:5000",
               "--out", out)
    assert done.returncode == 0, done.stderr
    files = written(out)
    assert set(files) == {"docker.io", "registry.test"}
    assert files["docker.io"]["server"] == "https://registry-1.docker.io"
    assert files["registry.test"]["server"] == "https://registry.test"
    for each in files.values():
        host = each["host"]["http://m.test:5000"]
        assert set(host["capabilities"]) == {"pull", "resolve"}


def test_hosts_with_site_and_several_mirrors(config, tmp_path):
    out = tmp_path / "certs.d"
    done = run("hosts", "--config", config(GOOD), "--mirror", "http://a.test:5000",
               "--mirror", "https://b.test", "--site", "store-17", "--out", out)
    assert done.returncode == 0, done.stderr
    text = (out / "docker.io" / "hosts.toml").read_text()
    assert text.index("a.test") < text.index("b.test")
    for host in tomllib.loads(text)["host"].values():
        assert host["header"]["X-Railhead-Site"] == ["store-17"]


def test_hosts_without_fallback(config, tmp_path):
    """Nothing goes round the mirror."""
    out = tmp_path / "certs.d"
    done = run("hosts", "--config", config(GOOD), "--mirror", "http://m.test:5000",
               "--fallback", "no", "--out", out)
    assert done.returncode == 0, done.stderr
    for each in written(out).values():
        assert each["server"] == "http://m.test:5000"
    assert "registry-1.docker.io" not in (out / "docker.io" / "hosts.toml").read_text()


def test_hosts_leaves_what_others_wrote(config, tmp_path):
    out = tmp_path / "certs.d"
    (out / "docker.io").mkdir(parents=True)
    (out / "docker.io" / "hosts.toml").write_text("server = 'https://mine'\n")
    words = ("hosts", "--config", config(GOOD), "--mirror", "http://m.test", "--out", out)
    assert run(*words).returncode == 1
    assert "mine" in (out / "docker.io" / "hosts.toml").read_text()
    assert run(*words, "--force").returncode == 0
    assert "mine" not in (out / "docker.io" / "hosts.toml").read_text()
    assert run(*words).returncode == 0


def test_hosts_for_podman(config):
    done = run("hosts", "--config", config(GOOD), "--mirror", "http://m.test:5000",
               "--format", "registries")
    assert done.returncode == 0
    registries = tomllib.loads(done.stdout)["registry"]
    assert {each["prefix"] for each in registries} == {"docker.io", "registry.test"}
    assert registries[0]["mirror"][0]["insecure"] is True


def test_hosts_for_docker(config):
    done = run("hosts", "--config", config(GOOD), "--mirror", "http://m.test:5000",
               "--format", "docker")
    assert json.loads(done.stdout)["registry-mirrors"] == ["http://m.test:5000"]


@pytest.mark.parametrize("mirror", ["m.test:5000", "ftp://m.test", "http://", "http://a b",
                                    "http://m.test/path"])
def test_hosts_of_what_is_no_mirror(config, mirror):
    done = run("hosts", "--config", config(GOOD), "--mirror", mirror)
    assert done.returncode == 2
    assert mirror.split("/")[-1] in done.stderr
