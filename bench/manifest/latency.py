"""The slowest of the warm manifests, while a fill runs at full speed, the store
commits and files are read that are not in the page cache."""

import subprocess
import threading

from bench.lib import load
from bench.lib.content import MB, Content, drop_from_page_cache, remove
from bench.lib.servers import Nginx, Origin, Ours

FILL = [100 * MB] * 24
FILES = [20 * MB] * 10
CONNECTIONS = 64
DROP_S = 0.1


class Background:
    """A fill and cold reads, at the server that is measured."""

    def __init__(self, latency, fill, reads, files):
        self.latency, self.files = latency, files
        self.argvs = [load.command(fill, latency.fill_plan, "-c", 2, "-n", len(FILL)),
                      load.command(reads, latency.files_plan, "-c", 2, "-d", 3600)]
        self._is_over = threading.Event()
        self._dropping = threading.Thread(target=self._drop)
        self._running = []

    def __enter__(self):
        self._dropping.start()
        self._running = [subprocess.Popen([str(word) for word in argv],
                                          stdout=subprocess.DEVNULL) for argv in self.argvs]
        return self

    def __exit__(self, *_):
        for process in self._running:
            process.terminate()
            process.wait()
        self._is_over.set()
        self._dropping.join()

    def is_filling(self):
        return self._running[0].poll() is None

    def _drop(self):
        while not self._is_over.wait(DROP_S):
            drop_from_page_cache(*self.files)


class Latency:
    def __init__(self, bench):
        self.bench = bench
        self.folder = bench.new_folder("latency")
        content = Content(self.folder / "content")
        self.app = content.image("library/app", [4000] * 8)
        self.files = content.image("library/files", FILES)
        self.fill = content.image("library/fill", FILL[:3] if bench.is_short else FILL)
        self.origin = bench.start(Origin(self.folder / "origin", content))
        content.as_static(self.folder / "static")
        self.plan = load.plan(self.folder / "app", load.get_manifest(self.app))
        self.files_plan = self._plan("files", self.files)
        self.fill_plan = self._plan("fill", self.fill)

    def _plan(self, name, image):
        return load.plan(self.folder / name, *(
            load.get(image.blob_target(blob), blob.size) for blob in image.layers))

    def saturated(self, server):
        return load.load(server, self.plan, "-c", CONNECTIONS, "-d", self.bench.seconds)["rate"]

    def with_ours(self, use):
        """A store with nothing of the fill in it, each time."""
        folder = self.folder / "ours"
        try:
            with Ours(folder, self.origin.url) as ours:
                load.verify_image(ours, self.app)
                load.verify_image(ours, self.files)
                paths = [ours.mirror.blob_file(blob.digest) for blob in self.files.layers]
                return use(ours, ours, ours, paths)
        finally:
            remove(folder)

    def with_nginx(self, use):
        folder = self.folder / "nginx"
        try:
            with Nginx(folder, self.folder / "static", self.origin.url) as nginx:
                paths = [f"{self.folder}/static{self.files.blob_target(blob)}"
                         for blob in self.files.layers]
                return use(nginx.static, nginx.cache, nginx.static, paths)
        finally:
            remove(folder)

    def beside(self, rate):
        def use(server, fill, reads, paths):
            options = ["-c", CONNECTIONS, "-r", rate, "-d", self.bench.seconds]
            with Background(self, fill, reads, paths) as background:
                took = load.load(server, self.plan, *options)
                took["was_filling"] = background.is_filling()
            return {**took, **{f"whole {key}": value for key, value in took["whole_us"].items()}}
        return use


def measure(bench):
    latency = Latency(bench)
    rates = [use(lambda server, *_: latency.saturated(server))
             for use in (latency.with_ours, latency.with_nginx)]
    rate = round(min(rates) / 2)
    users = {"ours": latency.with_ours, "nginx static": latency.with_nginx}
    taken = bench.in_turn("latency", users, lambda name: users[name](latency.beside(rate)))
    bench.print(f"GET by digest at {rate:,} requests/s, half of what the slower of the two can "
                "do, whether they are answered or not: a request's time begins when it was "
                "due.  Beside it, at the same server: two cold layers filled at once, at full "
                "speed; and two readers of files that are not in the page cache.\n")
    bench.table(["server", "p50 µs", "p99 µs", "p99.9 µs", "most µs", "filled all the time"], [
        [name, *(taken.of(name, f"whole {key}") for key in ("p50", "p99", "p99.9", "max")),
         f"{sum(taken.of(name, 'was_filling').values)} of {bench.rounds} rounds"]
        for name in users])
    bench.want("latency beside a fill: p99.9, × nginx",
               taken.ratio("whole p99.9", "ours", "nginx static"), 1.5)
