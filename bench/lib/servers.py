"""Ours and the peers, each on ports of its own."""

import json
import socket
from pathlib import Path

from bench.lib import process
from bench.lib.build import TOOLS
from lib.daemon import Daemon
from lib.ports import free_port
from lib.railhead import Railhead, registry_at

UPSTREAM = "registry.bench"
HERE = "127.0.0.1"


def _answers(host, port):
    try:
        socket.create_connection((host, port), timeout=1).close()
        return True
    except OSError:
        return False


class Server:
    """Where load generators send to.  What shares a process has the same PIDs."""

    def __init__(self, name, port, daemon, host=HERE):
        self.name, self.port, self.daemon, self.host = name, port, daemon, host

    @property
    def pids(self):
        return process.family(self.daemon.pid)

    @property
    def url(self):
        return f"http://{self.host}:{self.port}"


class _Started(Server):
    """A server that is a daemon of its own."""

    def __enter__(self):
        self.daemon.spawn()
        self.daemon.wait_ready(lambda: _answers(self.host, self.port))
        return self

    def __exit__(self, *_):
        self.daemon.stop()


class Ours(Server):
    """Railhead, as it comes: but for its log."""

    def __init__(self, folder, upstream_url, name="ours", certificate=None, access=False,
                 **options):
        self.mirror = Railhead(
            folder, {UPSTREAM: registry_at(upstream_url)},
            log={"level": "warn", "format": "json", "access": access}, **options)
        if certificate:
            self.mirror.config["listen"][0]["tls"] = {
                "certificate": str(certificate.crt), "key": str(certificate.key)}
        super().__init__(name, self.mirror.port, self.mirror.daemon)

    def __enter__(self):
        self.mirror.start()
        return self

    def __exit__(self, kind, *_):
        self.mirror.stop(is_checked=kind is None)


class Distribution(_Started):
    """docker-registry as a pull-through mirror."""

    def __init__(self, folder, upstream_url, name="docker-registry"):
        port = free_port()
        super().__init__(name, port, _registry(
            folder, f"{HERE}:{port}", Path(folder) / "data",
            proxy={"remoteurl": upstream_url}))


class Origin(_Started):
    """docker-registry as the upstream; with WAN, behind that."""

    def __init__(self, folder, content, wan=None):
        port = free_port()
        host = wan.far if wan else HERE
        content.as_registry(Path(folder) / "data")
        super().__init__("origin", port, _registry(
            folder, f"{host}:{port}", Path(folder) / "data", wan.prefix if wan else []),
            host)


def _registry(folder, address, data, prefix=(), **more):
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    config = folder / "registry.yml"
    config.write_text(json.dumps({
        "version": "0.1",
        "log": {"level": "error", "accesslog": {"disabled": True}},
        "storage": {"filesystem": {"rootdirectory": str(data)}},
        "http": {"addr": address}, **more}))
    return Daemon([*prefix, "docker-registry", "serve", config], folder / "registry.log",
                  {"OTEL_TRACES_EXPORTER": "none"})


class Floor(_Started):
    """Answers everything with one file, and does only what any server must."""

    def __init__(self, folder, file, threads=2):
        port = free_port()
        super().__init__("floor", port, Daemon([TOOLS / "floor", port, threads, file],
                                               Path(folder) / "floor.log"))


class Nginx:
    """One nginx: .static serves files, .tls too, .cache is a proxy_cache."""

    def __init__(self, folder, root, upstream_url=None, certificate=None, workers=2):
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        config = self.folder / "nginx.conf"
        self.daemon = Daemon(["nginx", "-p", self.folder, "-c", config],
                             self.folder / "nginx.log")
        self.static = Server("nginx static", free_port(), self.daemon)
        self.tuned = Server("nginx static, open_file_cache", free_port(), self.daemon)
        self.cache = Server("nginx proxy_cache", free_port(), self.daemon)
        self.tls = Server("nginx static", free_port(), self.daemon)
        config.write_text(self._config(root, upstream_url, certificate, workers))

    def __enter__(self):
        self.daemon.spawn()
        self.daemon.wait_ready(lambda: _answers(HERE, self.static.port))
        return self

    def __exit__(self, *_):
        self.daemon.stop()

    def _config(self, root, upstream_url, certificate, workers):
        places = [f"listen {HERE}:{self.static.port} backlog=4096; root {root};",
                  f"listen {HERE}:{self.tuned.port} backlog=4096; root {root};"
                  " open_file_cache max=100000 inactive=1h; open_file_cache_valid 1h;"]
        origin = ""
        if upstream_url:
            origin = f"upstream origin {{ server {upstream_url[7:]}; keepalive 64; }}"
            places.append(f"listen {HERE}:{self.cache.port} backlog=4096;\n{_CACHE}")
        if certificate:
            places.append(f"listen {HERE}:{self.tls.port} ssl backlog=4096; root {root};\n"
                          f"ssl_certificate {certificate.crt};"
                          f" ssl_certificate_key {certificate.key};\n"
                          "ssl_protocols TLSv1.3; ssl_session_tickets on;")
        temporary = "\n".join(
            f"{kind}_temp_path {self.folder}/temp-{kind};"
            for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        servers = "\n".join(f"server {{ {place} }}" for place in places)
        return _NGINX.format(folder=self.folder, workers=workers, origin=origin,
                             temporary=temporary, servers=servers)


_CACHE = """
location / {
    proxy_pass http://origin;
    proxy_http_version 1.1;
    proxy_set_header Connection "";
    proxy_cache all;
    proxy_cache_valid 200 1h;
    proxy_cache_lock on;
    proxy_cache_lock_age 5m;
    proxy_cache_lock_timeout 5m;
}
"""

_NGINX = """
user root;
daemon off;
worker_processes {workers};
worker_rlimit_nofile 100000;
pid {folder}/nginx.pid;
error_log {folder}/error.log error;
events {{ worker_connections 30000; }}
http {{
access_log off;
sendfile on;
tcp_nopush on;
keepalive_requests 1000000;
default_type application/octet-stream;
{temporary}
proxy_cache_path {folder}/cache levels=1:2 keys_zone=all:64m max_size=100g
    inactive=7d use_temp_path=off;
{origin}
{servers}
}}
"""
