"""The mirror itself: configured, started, asked, ended."""

import json
import os
import re
import signal
import subprocess
from pathlib import Path

from lib import wire
from lib.daemon import Daemon
from lib.metrics import Metrics
from lib.ports import free_port, unread
from lib.wait import PATIENCE_S, wait_until

ROOT = Path(__file__).resolve().parents[2]
BINARY = Path(os.environ.get("RAILHEAD_BINARY") or ROOT / "build/release/railhead").absolute()

SANITIZERS = {
    "ASAN_OPTIONS": "detect_leaks=1:abort_on_error=1:detect_stack_use_after_return=1",
    "UBSAN_OPTIONS": "print_stacktrace=1",
    "TSAN_OPTIONS": "second_deadlock_stack=1:halt_on_error=0:exitcode=66:"
                    f"suppressions={ROOT}/tests/lib/tsan.supp",
}
REPORT = re.compile(r"(ERROR: (Address|Leak|Thread)Sanitizer|WARNING: ThreadSanitizer"
                    r"|runtime error:).*")


def run(*words, stdin=None, timeout=PATIENCE_S):
    """One command of the binary: status, stdout, stderr."""
    return subprocess.run([str(BINARY), *map(str, words)], input=stdin, text=True,
                          capture_output=True, timeout=timeout,
                          env={**os.environ, **SANITIZERS})


def registry_at(*urls, **more):
    """An upstream's configuration: endpoints tried in this order."""
    return {"endpoints": [{"url": url} if isinstance(url, str) else url for url in urls], **more}


class Railhead:
    def __init__(self, folder, upstreams, **options):
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.port, self.admin_port = free_port(), free_port()
        self.config_file = self.folder / "railhead.yaml"
        self.config = {
            "region": "test-1",
            "listen": [{"address": f"127.0.0.1:{self.port}"}],
            "admin": {"address": f"127.0.0.1:{self.admin_port}"},
            "store": {"path": str(self.folder / "store"), "capacity": "20GiB",
                      "min_free": "1MiB"},
            "limits": {"drain": "5s"},
            "upstreams": upstreams,
            "log": {"level": "debug", "format": "json", "access": True},
        }
        if upstreams:
            self.config["default_upstream"] = next(iter(upstreams))
        for key, value in options.items():
            if isinstance(value, dict) and isinstance(self.config.get(key), dict):
                value = {**self.config[key], **value}
            self.config[key] = value
        self.daemon = Daemon([BINARY, "serve", "--config", self.config_file],
                             self.folder / "railhead.log", SANITIZERS)

    # ---- life -------------------------------------------------------------

    def __enter__(self):
        return self.start()

    def __exit__(self, kind, *_):
        self.stop(is_checked=kind is None)

    def start(self):
        self.write_config()
        self.daemon.spawn()
        self.daemon.wait_ready(self.is_ready)
        return self

    def write_config(self):
        """JSON is YAML, too."""
        self.config_file.write_text(json.dumps(self.config, indent=1))

    def is_ready(self):
        try:
            return self.admin("/readyz").status == 200
        except OSError:
            return False

    def stop(self, is_checked=True):
        status = self.daemon.stop()
        if is_checked:
            self.check_log()
            assert status in (0, None), f"railhead ended with {status}:\n{self.log()[-4000:]}"

    def restart(self):
        """Until all is written down: an answer may be out before it is, and
        who asks meanwhile is answered by what is still under way."""
        self.stop()
        self.start()

    def kill(self):
        self.daemon.kill()
        self.check_log()

    def reload(self):
        """SIGHUP with the configuration as it is now; waits for the verdict."""
        self.write_config()
        before = self.metric("config_reloads_total")
        self.daemon.signal(signal.SIGHUP)
        wait_until(lambda: self.metric("config_reloads_total") > before, what="a reload")

    def check_log(self):
        report = REPORT.search(self.log())
        if report:
            raise AssertionError(f"{report.group(0)}\n{self.log()[report.start():][:6000]}")

    def log(self):
        return self.daemon.log_text()

    def wait_log(self, *words):
        """The lines with all of WORDS, once there are some: what is logged is
        written by a thread of its own, a little later."""
        return wait_until(lambda: [line for line in self.log().splitlines()
                                   if all(word in line for word in words)],
                          what=f"{words} in the log")

    # ---- asking -----------------------------------------------------------

    def wire(self, **more):
        return wire.Wire(self.port, **more)

    def get(self, target, **fields):
        return wire.ask(self.port, target, fields=_fields(fields))

    def head(self, target, **fields):
        return wire.ask(self.port, target, "HEAD", _fields(fields))

    def admin(self, target, method="GET", token=None):
        fields = {"Authorization": f"Bearer {token}"} if token else {}
        return wire.ask(self.admin_port, target, method, fields)

    def metrics(self):
        return Metrics(self.admin("/metrics").body.decode())

    def metric(self, name, **labels):
        return self.metrics().sum(name, **labels)

    def wait_metric(self, name, is_good, timeout=PATIENCE_S, **labels):
        """Waits until IS_GOOD (a value, or a test of it) holds."""
        test = is_good if callable(is_good) else lambda value: value == is_good
        wait_until(lambda: test(self.metric(name, **labels)), timeout, f"{name} {labels}")

    def clients(self):
        """Who is connected, but for the scrape that asks it."""
        return self.metric("connections") - 1

    def wait_clients(self, is_good, timeout=PATIENCE_S):
        test = is_good if callable(is_good) else lambda count: count == is_good
        wait_until(lambda: test(self.clients()), timeout, "so many clients")

    def wait_read(self, count):
        """Until COUNT clients are connected, and all that they sent was read."""
        wait_until(lambda: unread(self.port) == [0] * count,
                   what=f"{count} clients' requests to be read")

    def wait_stored(self, count):
        """Until COUNT objects are in the index; a fill ends a little later."""
        def is_stored():
            scrape = self.metrics()
            return scrape.sum("store_objects") >= count and scrape.sum("fills") == 0
        wait_until(is_stored, what=f"{count} objects to be stored")

    # ---- looking inside ----------------------------------------------------

    @property
    def store(self):
        return Path(self.config["store"]["path"])

    def blob_file(self, digest):
        algorithm, _, encoded = digest.partition(":")
        return self.store / "blobs" / algorithm / encoded

    def has_blob(self, digest):
        return self.blob_file(digest).exists()

    def drafts(self):
        return sorted(path.name for path in (self.store / "drafts").glob("*"))

    def anonymous_memory(self):
        """RssAnon, in bytes."""
        status = Path(f"/proc/{self.daemon.pid}/status").read_text()
        return int(re.search(r"RssAnon:\s+(\d+) kB", status).group(1)) * 1024


def _fields(fields):
    """if_none_match -> If-None-Match"""
    return {name.replace("_", "-").title(): value for name, value in fields.items()}
