"""Images, indexes, artifacts and charts, made as bytes."""

import gzip
import hashlib
import io
import json
import random
import subprocess
import tarfile
from dataclasses import dataclass, field
from pathlib import Path

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
OCI_EMPTY = "application/vnd.oci.empty.v1+json"
OCI_LAYER = "application/vnd.oci.image.layer.v1.tar"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json"
DOCKER_LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"
HELM_CONFIG = "application/vnd.cncf.helm.config.v1+json"
HELM_CHART = "application/vnd.cncf.helm.chart.content.v1.tar+gzip"

MIB = 1 << 20


def digest_of(data, algorithm="sha256"):
    return f"{algorithm}:{hashlib.new(algorithm, data).hexdigest()}"


def noise(size, seed=1):
    """SIZE bytes that don't compress, the same for each SEED."""
    return random.Random(seed).randbytes(size)


@dataclass
class Content:
    """What one repository of a registry holds."""

    manifests: dict = field(default_factory=dict)   # digest -> (media type, bytes)
    blobs: dict = field(default_factory=dict)       # digest -> bytes
    tags: dict = field(default_factory=dict)        # tag -> digest

    def add_blob(self, data, algorithm="sha256"):
        digest = digest_of(data, algorithm)
        self.blobs[digest] = data
        return digest

    def add_manifest(self, media_type, data, algorithm="sha256"):
        if isinstance(data, dict):
            data = json.dumps(data, indent=1).encode()
        digest = digest_of(data, algorithm)
        self.manifests[digest] = (media_type, data)
        return digest

    def add(self, other):
        self.manifests.update(other.manifests)
        self.blobs.update(other.blobs)
        self.tags.update(other.tags)
        return self

    def descriptor(self, digest, **more):
        media_type, data = self.manifests[digest]
        return {"mediaType": media_type, "digest": digest, "size": len(data), **more}

    def referrers(self, subject):
        found = []
        for digest, (_, data) in self.manifests.items():
            manifest = json.loads(data)
            if manifest.get("subject", {}).get("digest") != subject:
                continue
            kind = manifest.get("artifactType") or manifest.get("config", {}).get("mediaType")
            more = {"artifactType": kind}
            if "annotations" in manifest:
                more["annotations"] = manifest["annotations"]
            found.append(self.descriptor(digest, **more))
        return found

    def unique_bytes(self):
        return sum(map(len, self.blobs.values())) \
            + sum(len(data) for _, data in self.manifests.values())


def tar_of(files):
    """An archive of NAME -> bytes that is the same every time."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, data in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(data), 0o644
            tar.addfile(entry, io.BytesIO(data))
    return raw.getvalue()


def packed(raw, how):
    if how == "gzip":
        return gzip.compress(raw, 1, mtime=0)
    if how == "zstd":
        return subprocess.run(["zstd", "-q", "-3", "-c"], input=raw, check=True,
                              capture_output=True).stdout
    return raw


def layer_files(number, size):
    return {f"data/layer-{number}.bin": noise(size, seed=number),
            f"data/layer-{number}.txt": f"layer {number}\n".encode() * 10}


def image(layers=3, size=64 << 10, how="gzip", architecture="amd64", is_docker=False,
          algorithm="sha256", seed=0, tag=None, annotations=None, subject=None):
    """An image of LAYERS layers of about SIZE bytes; its digest is .top."""
    content = Content()
    rows, diff_ids = [], []
    for number in range(layers):
        raw = tar_of(layer_files(seed * 100 + number, size))
        data = packed(raw, how)
        diff_ids.append(digest_of(raw))
        kind = DOCKER_LAYER if is_docker else OCI_LAYER + (f"+{how}" if how else "")
        rows.append({"mediaType": kind, "size": len(data),
                     "digest": content.add_blob(data, algorithm)})
    config = json.dumps({
        "architecture": architecture, "os": "linux",
        "config": {"Env": ["PATH=/bin"], "Cmd": ["/bin/true"]},
        "rootfs": {"type": "layers", "diff_ids": diff_ids},
        "history": [{"created_by": f"layer {n}"} for n in range(layers)]}).encode()
    manifest = {
        "schemaVersion": 2,
        "mediaType": DOCKER_MANIFEST if is_docker else OCI_MANIFEST,
        "config": {"mediaType": DOCKER_CONFIG if is_docker else OCI_CONFIG,
                   "digest": content.add_blob(config, algorithm), "size": len(config)},
        "layers": rows}
    if annotations:
        manifest["annotations"] = annotations
    if subject:
        manifest["subject"] = subject
    content.top = content.add_manifest(manifest["mediaType"], manifest, algorithm)
    content.layers = [row["digest"] for row in rows]
    content.config = manifest["config"]["digest"]
    if tag:
        content.tags[tag] = content.top
    return content


def multi_arch(architectures=("amd64", "arm64"), is_docker=False, tag=None, seed=10, **how):
    """An index over an image for each architecture."""
    content = Content()
    rows = []
    for number, architecture in enumerate(architectures):
        made = image(architecture=architecture, is_docker=is_docker,
                     seed=seed + number, **how)
        content.add(made)
        rows.append(content.descriptor(
            made.top, platform={"architecture": architecture, "os": "linux"}))
    kind = DOCKER_LIST if is_docker else OCI_INDEX
    content.top = content.add_manifest(
        kind, {"schemaVersion": 2, "mediaType": kind, "manifests": rows})
    if tag:
        content.tags[tag] = content.top
    return content


def artifact(subject=None, kind="application/vnd.example.sbom", payload=b"{}",
             annotations=None, tag=None):
    """An OCI 1.1 artifact, pointing at the descriptor SUBJECT."""
    content = Content()
    empty = b"{}"
    manifest = {
        "schemaVersion": 2, "mediaType": OCI_MANIFEST, "artifactType": kind,
        "config": {"mediaType": OCI_EMPTY, "digest": content.add_blob(empty), "size": 2},
        "layers": [{"mediaType": kind, "digest": content.add_blob(payload),
                    "size": len(payload)}]}
    if subject:
        manifest["subject"] = subject
    if annotations:
        manifest["annotations"] = annotations
    content.top = content.add_manifest(OCI_MANIFEST, manifest)
    if tag:
        content.tags[tag] = content.top
    return content


def chart(name="demo", version="1.0.0"):
    """What `helm push` makes of a chart."""
    content = Content()
    about = json.dumps({"name": name, "version": version, "apiVersion": "v2"}).encode()
    data = packed(tar_of({f"{name}/Chart.yaml": about}), "gzip")
    content.top = content.add_manifest(OCI_MANIFEST, {
        "schemaVersion": 2,
        "config": {"mediaType": HELM_CONFIG, "digest": content.add_blob(about),
                   "size": len(about)},
        "layers": [{"mediaType": HELM_CHART, "digest": content.add_blob(data),
                    "size": len(data)}]})
    content.tags[version] = content.top
    return content


def single_blob(data, algorithm="sha256", tag="1.0"):
    """An image whose only layer is DATA; .blob is its digest."""
    content = Content()
    config = b'{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]}}'
    content.blob = content.add_blob(data, algorithm)
    content.top = content.add_manifest(OCI_MANIFEST, {
        "schemaVersion": 2, "mediaType": OCI_MANIFEST,
        "config": {"mediaType": OCI_CONFIG, "digest": content.add_blob(config),
                   "size": len(config)},
        "layers": [{"mediaType": OCI_LAYER, "digest": content.blob, "size": len(data)}]})
    content.tags[tag] = content.top
    return content


def write_layout(folder, named):
    """An OCI image layout; NAMED: reference -> content with a .top."""
    folder = Path(folder)
    rows = []
    for name, content in named.items():
        for digest, data in content.blobs.items():
            _put(folder, digest, data)
        for digest, (_, data) in content.manifests.items():
            _put(folder, digest, data)
        rows.append(content.descriptor(
            content.top, annotations={"org.opencontainers.image.ref.name": name}))
    (folder / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
    (folder / "index.json").write_text(json.dumps(
        {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": rows}))
    return folder


def _put(folder, digest, data):
    algorithm, _, encoded = digest.partition(":")
    path = folder / "blobs" / algorithm / encoded
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
