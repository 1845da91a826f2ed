"""What is served: images of incompressible layers, as files.

They are made once and linked to wherever a server wants to find them."""

import hashlib
import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from lib import images

PIECE = 16 << 20
KB, MB, MIB = 1000, 1000 ** 2, 1 << 20


@dataclass(frozen=True)
class Blob:
    digest: str
    size: int
    path: Path

    @property
    def hex(self):
        return self.digest.partition(":")[2]


@dataclass(frozen=True)
class Image:
    repository: str
    tag: str
    manifest: Blob
    config: Blob
    layers: list

    @property
    def blobs(self):
        return [self.config, *self.layers]

    @property
    def n_bytes(self):
        return self.manifest.size + sum(blob.size for blob in self.blobs)

    def blob_target(self, blob):
        return f"/v2/{self.repository}/blobs/{blob.digest}"

    def manifest_target(self, by_tag=False):
        name = self.tag if by_tag else self.manifest.digest
        return f"/v2/{self.repository}/manifests/{name}"


class Content:
    """Files by digest in FOLDER, and the images that are made of them."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.folder.mkdir(parents=True)
        self.images = []

    def image(self, repository, sizes, tag="latest"):
        layers = [self._noise(size) for size in sizes]
        config = self._file(json.dumps({
            "architecture": "amd64", "os": "linux",
            "rootfs": {"type": "layers", "diff_ids": [blob.digest for blob in layers]}}))
        manifest = self._file(json.dumps({
            "schemaVersion": 2, "mediaType": images.OCI_MANIFEST,
            "config": {"mediaType": images.OCI_CONFIG, "digest": config.digest,
                       "size": config.size},
            "layers": [{"mediaType": images.OCI_LAYER, "digest": blob.digest,
                        "size": blob.size} for blob in layers]}, indent=2))
        self.images.append(Image(repository, tag, manifest, config, layers))
        return self.images[-1]

    def hollow(self, repository, size):
        """A layer as large as one likes, of a file without blocks: its digest is not its
        own, so nobody may wait for its end."""
        draft = self.folder / "draft"
        draft.touch()
        os.truncate(draft, size)
        blob = self._keep(draft, os.urandom(32).hex(), size)
        config = self._file(json.dumps({"architecture": "amd64", "of": blob.digest}))
        self.images.append(Image(repository, blob.hex[:12], config, config, [blob]))
        return self.images[-1]

    def _noise(self, size):
        draft = self.folder / "draft"
        hasher = hashlib.sha256()
        with open(draft, "wb") as file:
            for at in range(0, size, PIECE):
                piece = os.urandom(min(PIECE, size - at))
                hasher.update(piece)
                file.write(piece)
        return self._keep(draft, hasher.hexdigest(), size)

    def _file(self, text):
        draft = self.folder / "draft"
        draft.write_bytes(text.encode())
        return self._keep(draft, hashlib.sha256(text.encode()).hexdigest(), len(text))

    def _keep(self, draft, encoded, size):
        return Blob(f"sha256:{encoded}", size, draft.rename(self.folder / encoded))

    # ---- as servers want it -----------------------------------------------------

    def as_static(self, root):
        """Files at the paths that clients ask for."""
        for image in self.images:
            for blob in image.blobs:
                _link(blob.path, f"{root}{image.blob_target(blob)}")
            for by_tag in (False, True):
                _link(image.manifest.path, f"{root}{image.manifest_target(by_tag)}")

    def as_registry(self, root):
        """The folders of Distribution's file system driver."""
        top = f"{root}/docker/registry/v2"
        for image in self.images:
            here = f"{top}/repositories/{image.repository}"
            for blob in [*image.blobs, image.manifest]:
                _link(blob.path, f"{top}/blobs/sha256/{blob.hex[:2]}/{blob.hex}/data")
            for blob in image.blobs:
                _write(f"{here}/_layers/sha256/{blob.hex}/link", blob.digest)
            digest, encoded = image.manifest.digest, image.manifest.hex
            for name in (f"revisions/sha256/{encoded}", f"tags/{image.tag}/current",
                         f"tags/{image.tag}/index/sha256/{encoded}"):
                _write(f"{here}/_manifests/{name}/link", digest)


def _link(source, target):
    os.makedirs(os.path.dirname(target), exist_ok=True)
    if not os.path.exists(target):
        os.link(source, target)


def _write(target, text):
    os.makedirs(os.path.dirname(target), exist_ok=True)
    Path(target).write_text(text)


def drop_from_page_cache(*paths):
    """So that the next to read them waits for the disk."""
    for path in paths:
        fd = os.open(path, os.O_RDONLY)
        try:
            os.fsync(fd)
            os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
        finally:
            os.close(fd)


def read_into_page_cache(*paths):
    """As the kernel reads ahead: what a server's CPU per byte is depends on the size of the
    pieces in which a file came into the page cache, so all files come the same way."""
    drop_from_page_cache(*paths)
    for path in paths:
        with open(path, "rb", buffering=0) as file:
            while file.read(1 << 20):
                pass


def remove(folder):
    shutil.rmtree(folder, ignore_errors=True)
