"""Clients that pull as containerd does: what broke goes on by Range."""

import hashlib
import http.client
import threading
import time

PIECE = 256 << 10
AGAIN_S = 0.1
PATIENCE_S = 300
ACCEPT = "application/vnd.oci.image.manifest.v1+json"


class Pull(threading.Thread):
    """One client that gets PARTS, each (target, digest, size); `is_right` when all of
    it is what it asked for."""

    def __init__(self, host, port, parts):
        super().__init__(daemon=True)
        self.host, self.port, self.parts = host, port, parts
        self.is_right = False
        self.n_tries = 0
        self._give_up_at = time.monotonic() + PATIENCE_S

    def run(self):
        self.is_right = all([self._get(*part) for part in self.parts])

    def _get(self, target, digest, size):
        hasher, have, pause = hashlib.sha256(), 0, threading.Event()
        while have < size and time.monotonic() < self._give_up_at:
            self.n_tries += 1
            try:
                have += self._try(target, have, hasher)
            except (OSError, http.client.HTTPException):
                pass
            if have < size:
                pause.wait(AGAIN_S)
        return f"sha256:{hasher.hexdigest()}" == digest

    def _try(self, target, have, hasher):
        connection = http.client.HTTPConnection(self.host, self.port, timeout=90)
        fields = {"Accept": ACCEPT}
        if have:
            fields["Range"] = f"bytes={have}-"
        try:
            connection.request("GET", target, headers=fields)
            reply = connection.getresponse()
            if reply.status != (206 if have else 200):
                return 0
            return self._read(reply, hasher)
        finally:
            connection.close()

    @staticmethod
    def _read(reply, hasher):
        count = 0
        try:
            while piece := reply.read1(PIECE):
                hasher.update(piece)
                count += len(piece)
        except (OSError, http.client.HTTPException):
            pass            # what came, came
        return count


def begin(host, port, parts, count):
    clients = [Pull(host, port, parts) for _ in range(count)]
    for client in clients:
        client.start()
    return clients


def finish(clients):
    for client in clients:
        client.join()
    wrong = sum(not client.is_right for client in clients)
    assert not wrong, f"{wrong} of {len(clients)} clients did not get what they asked for"
