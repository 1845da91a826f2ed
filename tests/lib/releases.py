"""Asking a mirror about its releases, as tooling would."""

import json

from lib import wire
from lib.wait import wait_until


class Releases:
    def __init__(self, mirror, upstream):
        self.mirror, self.upstream = mirror, upstream

    def ask(self, target, method="GET", body=None, kind="application/json"):
        fields = {"Connection": "close"}
        data = b""
        if body is not None:
            data = body if isinstance(body, bytes) else json.dumps(body).encode()
            fields |= {"Content-Type": kind, "Content-Length": len(data)}
        with wire.Wire(self.mirror.admin_port) as connection:
            connection.request(target, method, fields)
            connection.send(data)
            return connection.body(connection.head())

    def reference(self, repository, digest):
        return f"{self.upstream}/{repository}@{digest}"

    def put(self, name, *references, **more):
        """REFERENCES are texts, or images with platforms of their own."""
        rows = [row if isinstance(row, dict) else {"image": row} for row in references]
        answer = self.ask(f"/v1/releases/{name}", "PUT", {"images": rows, **more})
        assert answer.status in (200, 201, 202), answer
        return answer.json()

    def say(self, name, verb):
        answer = self.ask(f"/v1/releases/{name}/{verb}", "POST", {})
        assert answer.status in (200, 202), answer
        return answer.json()

    def delete(self, name):
        answer = self.ask(f"/v1/releases/{name}", "DELETE")
        assert answer.status in (200, 204), answer

    def get(self, name, query=""):
        answer = self.ask(f"/v1/releases/{name}{query}")
        assert answer.status == 200, answer
        found = answer.json()
        return found.get("release", found) if isinstance(found.get("release"), dict) else found

    def state(self, name):
        return self.get(name)["state"]

    def wait_state(self, name, *states, timeout=30):
        wait_until(lambda: self.state(name) in states, timeout,
                   f"{name} to be one of {states}; it is {self.get(name)}")
        return self.get(name)

    def images(self, name):
        return self.ask(f"/v1/releases/{name}?limit=1000").json()["list"]
