"""Real clients: containerd, skopeo, podman, buildah."""

import json
import os
import shutil
import subprocess
from pathlib import Path

from lib.daemon import Daemon


def is_installed(*commands):
    return all(shutil.which(command) for command in commands)


def _run(argv, env=None, timeout=180):
    return subprocess.run([str(word) for word in argv], text=True, capture_output=True,
                          timeout=timeout, env={**os.environ, **(env or {})})


def good(done):
    """DONE's output; fails with what it said when it did not end well."""
    assert done.returncode == 0, f"{' '.join(map(str, done.args))}\n{done.stdout}{done.stderr}"
    return done.stdout


class Containerd:
    """containerd with a root, a state and a socket of its own."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.hosts_dir = self.folder / "certs.d"
        self.hosts_dir.mkdir(exist_ok=True)
        # A socket's path may have 107 bytes; pytest's folders are longer.
        self.socket = Path("/run") / f"railhead-tests-{os.getpid()}-{id(self):x}.sock"
        config = self.folder / "config.toml"
        config.write_text(self._config())
        self.daemon = Daemon(["containerd", "--config", config], self.folder / "containerd.log")

    def _config(self):
        unused = ["grpc.v1.cri", "snapshotter.v1.aufs", "snapshotter.v1.btrfs",
                  "snapshotter.v1.devmapper", "snapshotter.v1.zfs",
                  "snapshotter.v1.overlayfs", "tracing.processor.v1.otlp",
                  "internal.v1.tracing"]
        return f"""version = 2
root = "{self.folder}/root"
state = "{self.folder}/state"
disabled_plugins = {json.dumps(['io.containerd.' + name for name in unused])}
[grpc]
address = "{self.socket}"
[plugins."io.containerd.internal.v1.opt"]
path = "{self.folder}/opt"
"""

    def __enter__(self):
        self.daemon.spawn()
        self.daemon.wait_ready(lambda: self.ctr("version").returncode == 0)
        return self

    def __exit__(self, *_):
        self.daemon.stop()
        self.socket.unlink(missing_ok=True)
        Path(f"{self.socket}.ttrpc").unlink(missing_ok=True)

    def ctr(self, *words, timeout=180):
        return _run(["ctr", "--address", self.socket, *words], timeout=timeout)

    def pull(self, image, *options):
        return self.ctr("images", "pull", "--hosts-dir", self.hosts_dir,
                        "--snapshotter", "native", *options, image)

    def fetch(self, image, *options):
        """Without unpacking: anything that is no image of ours."""
        return self.ctr("content", "fetch", "--hosts-dir", self.hosts_dir, *options, image)

    def digests(self):
        return set(good(self.ctr("content", "ls", "-q")).split())

    def forget(self):
        """Removes all images and what they held."""
        names = good(self.ctr("images", "ls", "-q")).split()
        if names:
            good(self.ctr("images", "rm", "--sync", *names))
        for digest in self.digests():
            good(self.ctr("content", "rm", digest))


class Containers:
    """skopeo, podman and buildah with files of their own."""

    def __init__(self, folder, registries_conf=""):
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "registries.conf").write_text(registries_conf)
        (self.folder / "policy.json").write_text('{"default":[{"type":"insecureAcceptAnything"}]}')
        (self.folder / "storage.conf").write_text(
            f'[storage]\ndriver = "vfs"\nrunroot = "{self.folder}/runroot"\n'
            f'graphroot = "{self.folder}/graphroot"\n')
        self.env = {"CONTAINERS_REGISTRIES_CONF": str(self.folder / "registries.conf"),
                    "CONTAINERS_STORAGE_CONF": str(self.folder / "storage.conf"),
                    "HOME": str(self.folder), "XDG_RUNTIME_DIR": str(self.folder),
                    "TMPDIR": str(self.folder)}

    def skopeo(self, *words):
        return _run(["skopeo", "--policy", self.folder / "policy.json",
                     "--registries-conf", self.folder / "registries.conf", *words], self.env)

    def podman(self, *words):
        return _run(["podman", "--cgroup-manager=cgroupfs", *words], self.env)

    def buildah(self, *words):
        return _run(["buildah", *words], self.env)
