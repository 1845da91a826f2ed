"""Clients that pull an image as containerd does: what broke goes on by Range."""

import hashlib
import http.client
import threading
import time

PIECE = 256 << 10
AGAIN_S = 0.1
PATIENCE_S = 300
ACCEPT = "application/vnd.oci.image.manifest.v1+json"


class Pull(threading.Thread):
    """One client; `is_right` when all that it got is what it asked for."""

    def __init__(self, host, port, image):
        super().__init__(daemon=True)
        self.host, self.port, self.image = host, port, image
        self.is_right = False
        self.n_tries = 0
        self._give_up_at = time.monotonic() + PATIENCE_S

    def run(self):
        image = self.image
        self.is_right = self._get(image.manifest_target(), image.manifest) and all(
            [self._get(image.blob_target(blob), blob) for blob in image.blobs])

    def _get(self, target, blob):
        hasher, have, pause = hashlib.sha256(), 0, threading.Event()
        while have < blob.size and time.monotonic() < self._give_up_at:
            self.n_tries += 1
            try:
                have += self._try(target, have, hasher)
            except (OSError, http.client.HTTPException):
                pass
            if have < blob.size:
                pause.wait(AGAIN_S)
        return f"sha256:{hasher.hexdigest()}" == blob.digest

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


def begin(host, port, image, count):
    clients = [Pull(host, port, image) for _ in range(count)]
    for client in clients:
        client.start()
    return clients


def finish(clients):
    for client in clients:
        client.join()
    wrong = sum(not client.is_right for client in clients)
    if wrong:
        raise RuntimeError(f"{wrong} of {len(clients)} clients did not get what they asked for")
