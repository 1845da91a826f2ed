"""Debian's docker-registry as an upstream."""

import base64
import json
from pathlib import Path

from lib import wire
from lib.daemon import Daemon
from lib.ports import free_port


class Registry:
    """Plain, behind TLS (CERTIFICATE) or behind a token server (TOKENS); at the far
    side of WAN."""

    def __init__(self, folder, certificate=None, tokens=None, authority=None, wan=None):
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.host = wan.far if wan else "127.0.0.1"
        self.port = free_port()
        self.certificate = certificate
        self.tokens = tokens
        self.tls = wire.trusting(authority) if certificate else None
        config = self.folder / "registry.yml"
        config.write_text(json.dumps(self._config()))
        argv = [*(wan.prefix if wan else []), "docker-registry", "serve", config]
        self.daemon = Daemon(argv, self.folder / "registry.log",
                             {"OTEL_TRACES_EXPORTER": "none"})

    @property
    def url(self):
        return f"{'https' if self.certificate else 'http'}://{self.host}:{self.port}"

    def _config(self):
        config = {
            "version": "0.1",
            "log": {"level": "warn", "accesslog": {"disabled": False}},
            "storage": {"filesystem": {"rootdirectory": str(self.folder / "data")}},
            "http": {"addr": f"{self.host}:{self.port}"},
        }
        if self.certificate:
            config["http"]["tls"] = {"certificate": str(self.certificate.crt),
                                     "key": str(self.certificate.key)}
        if self.tokens:
            config["auth"] = {"token": {
                "realm": self.tokens.url + "/token", "service": self.tokens.service,
                "issuer": self.tokens.issuer, "rootcertbundle": str(self.tokens.signer.crt)}}
        return config

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()

    def start(self):
        self.daemon.spawn()
        self.daemon.wait_ready(self._is_ready)
        return self

    def stop(self):
        self.daemon.stop()

    def _is_ready(self):
        try:
            return self._ask("/v2/").status in (200, 401)
        except OSError:
            return False

    # ---- pushing ---------------------------------------------------------------

    def push(self, repository, content):
        for digest, data in content.blobs.items():
            self._push_blob(repository, digest, data)
        for digest in _children_first(content):
            media_type, data = content.manifests[digest]
            self._put(f"/v2/{repository}/manifests/{digest}", data, media_type, repository)
        for tag, digest in content.tags.items():
            media_type, data = content.manifests[digest]
            self._put(f"/v2/{repository}/manifests/{tag}", data, media_type, repository)
        return content

    def _push_blob(self, repository, digest, data):
        begun = self._ask(f"/v2/{repository}/blobs/uploads/", "POST", repository,
                          {"Content-Length": 0})
        assert begun.status == 202, begun
        place = begun["Location"].split(f":{self.port}", 1)[-1]
        self._put(f"{place}{'&' if '?' in place else '?'}digest={digest}", data,
                  "application/octet-stream", repository)

    def _put(self, target, data, media_type, repository):
        done = self._ask(target, "PUT", repository,
                         {"Content-Type": media_type, "Content-Length": len(data)}, data)
        assert done.status == 201, done

    def _ask(self, target, method="GET", repository=None, fields=None, body=b""):
        fields = {"Connection": "close", **(fields or {}), **self._authorization(repository)}
        with wire.Wire(self.port, self.host, tls=self.tls) as connection:
            connection.request(target, method, fields)
            connection.send(body)
            return connection.body(connection.head())

    def _authorization(self, repository):
        if not self.tokens or not repository:
            return {}
        name, password = next(iter(self.tokens.accounts.items()))
        text = base64.b64encode(f"{name}:{password}".encode()).decode()
        scope = f"repository:{repository}:pull,push"
        granted = wire.ask(self.tokens.port, f"/token?scope={scope}",
                           fields={"Authorization": f"Basic {text}"})
        return {"Authorization": f"Bearer {granted.json()[self.tokens.key]}"}


def _children_first(content):
    """Indexes name manifests that must be there before them."""
    return sorted(content.manifests,
                  key=lambda digest: "index" in content.manifests[digest][0]
                  or "list" in content.manifests[digest][0])
