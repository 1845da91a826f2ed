"""The load generators, run."""

import hashlib
import http.client
import json
import re
import subprocess

from bench.lib import process
from bench.lib.build import TOOLS

PATIENCE_S = 300
PIECE = 1 << 20


# A registry may keep OCI's manifests from those who don't say that they know them.
ACCEPT = "application/vnd.oci.image.manifest.v1+json"


def get(target, size, method="GET", status=200, fields=""):
    """A line of a plan; SIZE is what Content-Length must say."""
    return f"{method} {target} {status} {size} {fields}".rstrip()


def get_manifest(image, method="GET", by_tag=False):
    return get(image.manifest_target(by_tag), image.manifest.size, method,
               fields=f"Accept:{ACCEPT}")


def plan(path, *lines):
    path.write_text("\n".join(lines) + "\n")
    return path


class Failed(Exception):
    pass


def run_tool(name, *words):
    argv = [str(TOOLS / name), *map(str, words)]
    done = subprocess.run(argv, text=True, capture_output=True, timeout=PATIENCE_S)
    if done.returncode:
        raise Failed(f"{' '.join(argv)}: {done.stderr.strip()}")
    return done.stdout


def command(server, plan_path, *options):
    words = [option for pid in server.pids for option in ("-p", pid)]
    return [TOOLS / "load", *options, *words, server.host, server.port, plan_path]


def load(server, plan_path, *options):
    """One measurement: what came of the load, and what it took."""
    took = json.loads(run_tool("load", *command(server, plan_path, *options)[1:]))
    replies, seconds, n_bytes = took["replies"], took["seconds"], took["bytes"]
    took["rate"] = replies / seconds
    took["bytes_per_s"] = n_bytes / seconds
    if replies:
        took["cpu_us"] = took["server_cpu"] / replies * 1e6
    if n_bytes:
        took["cpu_per_gb"] = took["server_cpu"] / (n_bytes / 1e9)
    return took


def wrk(server, target, connections, seconds):
    """The same of manifests by wrk, which everybody knows."""
    before = process.cpu_seconds(server.pids)
    said = subprocess.run(
        ["wrk", "-t1", f"-c{connections}", f"-d{max(1, round(seconds))}",
         "-H", f"Accept: {ACCEPT}", server.url + target],
        text=True, capture_output=True, check=True, timeout=PATIENCE_S).stdout
    cpu = process.cpu_seconds(server.pids) - before
    replies = int(re.search(r"(\d+) requests in", said).group(1))
    if "Non-2xx" in said or "Socket errors" in said:
        raise Failed(said)
    return {"rate": float(re.search(r"Requests/sec:\s+([\d.]+)", said).group(1)),
            "cpu_us": cpu / replies * 1e6}


def pull(server, plan_path, *options):
    return json.loads(run_tool("pull", *options, server.host, server.port, plan_path))


def verify(server, digests, fields=None, tls=None):
    """The separate pass: what is served is what its digest says.  DIGESTS:
    target -> digest."""
    kind = http.client.HTTPSConnection if tls else http.client.HTTPConnection
    more = {"context": tls} if tls else {}
    connection = kind(server.host, server.port, timeout=PATIENCE_S, **more)
    for target, digest in digests.items():
        connection.request("GET", target, headers=fields or {})
        reply = connection.getresponse()
        hasher = hashlib.sha256()
        while piece := reply.read(PIECE):
            hasher.update(piece)
        if reply.status != 200 or f"sha256:{hasher.hexdigest()}" != digest:
            raise Failed(f"{server.name}: {target} is answered {reply.status} with "
                         f"sha256:{hasher.hexdigest()}")
    connection.close()


def verify_image(server, image, tls=None):
    """All of IMAGE, which is warm then."""
    digests = {image.blob_target(blob): blob.digest for blob in image.blobs}
    for by_tag in (False, True):
        digests[image.manifest_target(by_tag)] = image.manifest.digest
    verify(server, digests, {"Accept": ACCEPT}, tls)
