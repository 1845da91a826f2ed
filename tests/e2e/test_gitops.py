"""deploy/gitops: every field is one that its API has, and the parts fit together."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from conftest import UPSTREAM
from lib import images, prometheus
from lib.apis import FLEET_YAML, faults, table_of
from lib.clients import good, is_installed
from lib.railhead import ROOT, registry_at, run
from lib.releases import Releases
from lib.wait import Gate, in_background, wait_until

GITOPS = ROOT / "deploy/gitops"
FOLDERS = ["fleet", "argo-cd", "argo-rollouts", "flux", "cluster-api"]
RELEASE = "2026-11-22"


class _Strict(yaml.SafeLoader):
    """A key that is there twice is a mistake."""

    def construct_mapping(self, node, deep=False):
        keys = [self.construct_object(key) for key, _ in node.value]
        assert len(keys) == len(set(keys)), f"{node.start_mark}: a key is there twice: {keys}"
        return super().construct_mapping(node, deep)


def load(path):
    return [document for document in yaml.load_all((GITOPS / path).read_text(), _Strict)
            if document]


def one(path, kind, name=None):
    found, = [document for document in load(path) if document["kind"] == kind
              and name in (None, document["metadata"]["name"])]
    return found


def files():
    return sorted(str(path.relative_to(GITOPS)) for path in GITOPS.rglob("*.yaml"))


def jobs():
    return {path: document["spec"] for path in files() if not path.endswith("fleet.yaml")
            for document in load(path) if document["kind"] == "Job"}


def containers(job):
    pod = job["template"]["spec"]
    return pod.get("initContainers", []) + pod["containers"]


def words(container):
    return container["command"] + container.get("args", [])


# ---- fields --------------------------------------------------------------------------

@pytest.mark.parametrize("path", files())
def test_fields_are_those_of_the_api(path):
    for document in load(path):
        table = FLEET_YAML if path.endswith("fleet.yaml") else table_of(document)
        assert table is not None, f"{path}: {document.get('apiVersion')} {document.get('kind')}"
        assert not list(faults(document, table, path))


@pytest.mark.parametrize("spoil, told", [
    (lambda job: job["spec"].update(backOffLimit=3), "no field backOffLimit"),
    (lambda job: job["spec"].update(backoffLimit="3"), "backoffLimit is '3'"),
    (lambda job: job["spec"].pop("template"), "lacks template"),
    (lambda job: job["metadata"].update(name="Gate_1"), "name is 'Gate_1'"),
    (lambda job: job["spec"]["template"]["spec"].update(containers=[]), "containers is no list"),
])
def test_wrong_fields_are_seen(spoil, told):
    job, = load("fleet/gate/job.yaml")
    spoil(job)
    assert any(told in fault for fault in faults(job, table_of(job), "job"))


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_text_says_what_it_holds_back(folder):
    text = (GITOPS / folder / "README.md").read_text()
    for part in ("**What it holds back.**", "**When a store was offline.**",
                 "**Before it works.**"):
        assert part in text
    for path in re.findall(r"^\| (`[^|]*) \|", text, re.M):
        for name in re.findall(r"`([^`]+)`", path):
            assert (GITOPS / folder / name).exists(), name


@pytest.mark.skipif(not shutil.which("kubectl"), reason="kubectl is not installed")
@pytest.mark.parametrize("path", [path for path in files() if path.endswith("kustomization.yaml")])
def test_kustomize_builds_it(path):
    folder = GITOPS / Path(path).parent
    built = [document for document in yaml.safe_load_all(
        good(subprocess.run(["kubectl", "kustomize", folder], text=True, capture_output=True)))]
    names = {document["metadata"]["name"] for document in built}
    listed, = load(path)
    assert names == {document["metadata"]["name"] for resource in listed["resources"]
                     for document in load(Path(path).parent / resource)}


# ---- gates ---------------------------------------------------------------------------

def test_every_tool_has_its_gate():
    assert set(jobs()) == {"argo-cd/ring-2/gate.yaml", "flux/gate/job.yaml",
                           "fleet/gate/job.yaml"}


@pytest.mark.parametrize("path", jobs())
def test_a_gate_waits_and_its_job_lets_it(path):
    job = jobs()[path]
    gate = containers(job)[0]
    said = words(gate)
    assert said[:3] == ["railhead", "gate", RELEASE]
    hours = int(re.fullmatch(r"(\d+)h", said[said.index("--wait") + 1])[1])
    assert hours * 3600 < job["activeDeadlineSeconds"]
    assert job["template"]["spec"]["restartPolicy"] == "Never"
    assert sum(word.startswith("--mirror=https://") for word in said) == 2
    mounts = {mount["mountPath"]: mount["name"] for mount in gate["volumeMounts"]}
    volumes = {volume["name"] for volume in job["template"]["spec"]["volumes"]}
    for word in said:
        if word.startswith(("--token-file=", "--ca=")):
            assert mounts[str(Path(word.split("=")[1]).parent)] in volumes


@pytest.mark.parametrize("path", jobs())
def test_a_gate_is_asked_with_options_that_there_are(path):
    known = good(run("gate", "--help"))
    for word in words(containers(jobs()[path])[0])[2:]:
        if word.startswith("--"):
            assert re.search(rf"(?m)^ +{word.partition('=')[0]} ", known), word


def test_a_job_waits_until_all_mirrors_are_open(start, origin, new_seed):
    """What Fleet's Job runs, asked of two mirrors that are here."""
    content = origin.load("lib/app", images.image(size=64, seed=new_seed()))
    mirrors = [start({UPSTREAM: registry_at(origin.url)}) for _ in range(2)]
    said = [word for word in words(containers(jobs()["fleet/gate/job.yaml"])[0])[1:]
            if not word.startswith(("--mirror", "--token-file", "--ca"))]
    said += [f"--mirror=http://127.0.0.1:{mirror.admin_port}" for mirror in mirrors]
    at_once = [word for word in said if word not in ("--wait", "23h")]
    assert run(*at_once).returncode == 1  # no mirror knows the release
    job = in_background(run, *said)
    fault = origin.when("GET .*manifests", before=Gate())
    for mirror in mirrors:
        Releases(mirror, UPSTREAM).put(RELEASE, Releases(mirror, UPSTREAM).reference(
            "lib/app", content.top))
    fault.before.wait_arrival()
    closed = run(*at_once)
    assert closed.returncode == 1 and "bytes_" in closed.stdout
    assert job.is_alive()
    fault.before.open()
    assert job.join().returncode == 0


# ---- Fleet ---------------------------------------------------------------------------

def pointer(document, path):
    """The mapping that holds what a JSON pointer names, and the key."""
    *folders, last = [part.replace("~1", "/").replace("~0", "~") for part in path.split("/")[1:]]
    for folder in folders:
        document = document[folder]
    return document, last


def patched(bundle, patch):
    """False when a test of the JSON patch fails; then nothing changes."""
    for step in patch:
        holder, key = pointer(bundle, step["path"])
        if step["op"] == "test":
            if holder.get(key) != step["value"]:
                return False
        else:
            assert step["op"] == "add"
            holder[key] = step["value"]
    return True


def fleet_bundle(ring):
    """As Fleet makes it of fleet.yaml."""
    text, = load(f"fleet/ring-{ring}/fleet.yaml")
    return {"metadata": {"name": text["name"], "labels": text["labels"]},
            "spec": {key: value for key, value in text.items() if key not in ("name", "labels")}}


def unpause():
    """The bundle that the Job patches, where, and how."""
    said = words(containers(jobs()["fleet/gate/job.yaml"])[1])
    assert said[0] == "kubectl" and said[2:4] == ["patch", "bundles.fleet.cattle.io"]
    patch, = [word.partition("=")[2] for word in said if word.startswith("--patch=")]
    return said[4], said[1].partition("=")[2], json.loads(patch)


def test_fleet_ring_2_is_paused_until_its_gate_is_open():
    bundle = fleet_bundle(2)
    name, namespace, patch = unpause()
    assert name == bundle["metadata"]["name"]
    assert namespace == one("fleet/gitrepos.yaml", "GitRepo", "till")["metadata"]["namespace"]
    assert bundle["spec"]["paused"] is True
    assert patched(bundle, patch)
    assert bundle["spec"]["paused"] is False
    assert fleet_bundle(1)["spec"].get("paused") is None


def test_fleet_job_of_another_release_opens_nothing():
    bundle = fleet_bundle(2)
    bundle["metadata"]["labels"]["release"] = "2026-11-29"
    assert not patched(bundle, unpause()[2])
    assert bundle["spec"]["paused"] is True


def test_fleet_job_may_do_what_it_does():
    name, namespace, _ = unpause()
    role, binding = (one("fleet/gate/rbac.yaml", kind) for kind in ("Role", "RoleBinding"))
    account = one("fleet/gate/rbac.yaml", "ServiceAccount")["metadata"]
    rule, = role["rules"]
    assert rule["resourceNames"] == [name] and "patch" in rule["verbs"]
    assert role["metadata"]["namespace"] == binding["metadata"]["namespace"] == namespace
    assert binding["roleRef"]["name"] == role["metadata"]["name"]
    assert [(who["name"], who["namespace"]) for who in binding["subjects"]] == [
        (account["name"], account["namespace"])]
    job, = load("fleet/gate/job.yaml")
    assert job["spec"]["template"]["spec"]["serviceAccountName"] == account["name"]
    assert job["metadata"]["namespace"] == account["namespace"]
    assert "namespace" not in load("fleet/gate/fleet.yaml")[0]


def test_fleet_job_is_new_with_each_release():
    assert RELEASE in load("fleet/gate/job.yaml")[0]["metadata"]["name"]


def test_fleet_partitions_move():
    """A limit of 0 lets no store have its turn; groups have to be there."""
    groups = {group["metadata"]["name"] for group in load("fleet/cluster-groups.yaml")}
    for ring in (1, 2):
        spec = fleet_bundle(ring)["spec"]
        rollout = spec["rolloutStrategy"]
        limits = [part["maxUnavailable"] for part in rollout.get("partitions", [rollout])]
        assert all(limit not in (0, "0", "0%") for limit in limits)
        named = spec["overrideTargets"] + rollout.get("partitions", [])
        assert {part["clusterGroup"] for part in named} <= groups


def test_fleet_repositories_name_folders_that_are_there():
    for repository in load("fleet/gitrepos.yaml"):
        for path in repository["spec"]["paths"]:
            assert (GITOPS / path / "fleet.yaml").exists()


# ---- Argo CD -------------------------------------------------------------------------

def test_argo_cd_runs_the_gate_first():
    hook, = load("argo-cd/ring-2/gate.yaml")
    assert hook["metadata"]["annotations"] == {
        "argocd.argoproj.io/hook": "PreSync",
        "argocd.argoproj.io/hook-delete-policy": "BeforeHookCreation"}
    parent = one("argo-cd/ring-2.yaml", "Application")["spec"]
    assert (GITOPS / parent["source"]["path"] / "kustomization.yaml").exists()
    held, = load("argo-cd/ring-2/kustomization.yaml")
    assert "gate.yaml" in held["resources"] and len(held["resources"]) > 1
    store = one("argo-cd/ring-2/store-0042.yaml", "Application")
    assert "annotations" not in store["metadata"]


# ---- Argo Rollouts ---------------------------------------------------------------------

def template(name):
    return one(f"argo-rollouts/{name.removeprefix('railhead-')}.yaml", "AnalysisTemplate", name)


def filled(text, **given):
    return re.sub(r"\{\{ *args\.([\w-]+) *\}\}", lambda found: given[found[1]], text)


def analyses():
    canary = one("argo-rollouts/rollout.yaml", "Rollout")["spec"]["strategy"]["canary"]
    steps = [step["analysis"] for step in canary["steps"] if "analysis" in step]
    assert "analysis" in canary["steps"][0], "the first pod has to wait for it"
    return steps, canary["analysis"]


def test_rollout_gives_templates_what_they_ask_for():
    steps, background = analyses()
    for analysis in [*steps, background]:
        given = {argument["name"] for argument in analysis["args"]}
        for named in analysis["templates"]:
            spec = template(named["templateName"])["spec"]
            known = {argument["name"] for argument in spec["args"]}
            needed = {argument["name"] for argument in spec["args"]
                      if "value" not in argument and "valueFrom" not in argument}
            assert needed <= given <= known
            used = re.findall(r"\{\{ *args\.([\w-]+)", json.dumps(spec["metrics"]))
            assert set(used) == known


def test_a_step_ends_and_what_runs_beside_it_does_not():
    steps, background = analyses()
    metrics = lambda analysis: [metric for named in analysis["templates"]
                                for metric in template(named["templateName"])["spec"]["metrics"]]
    assert all("count" in metric for step in steps for metric in metrics(step))
    assert all("count" not in metric and "interval" in metric for metric in metrics(background))


def test_web_form_asks_the_gate():
    metric, = template("railhead-gate-web")["spec"]["metrics"]
    web = metric["provider"]["web"]
    assert filled(web["url"], mirror="https://m:5001", release="r1") == \
        "https://m:5001/v1/releases/r1/gate"
    assert web["jsonPath"] == "{$}" and metric["successCondition"] == "result.open == true"
    assert filled(web["headers"][0]["value"], token="abc") == "Bearer abc"


def test_web_form_is_answered(own, origin, new_seed):
    """As Argo Rollouts would ask: closed with reasons, then open."""
    metric, = template("railhead-gate-web")["spec"]["metrics"]
    target = filled(metric["provider"]["web"]["url"], mirror="", release="r1")
    releases = Releases(own, UPSTREAM)
    content = origin.load("lib/app", images.image(size=64, seed=new_seed()))
    fault = origin.when("", before=Gate())
    releases.put("r1", releases.reference("lib/app", content.top))
    closed = own.admin(target)
    assert closed.status == 200 and closed.json()["open"] is False
    assert closed.json()["reasons"][0]["text"]
    fault.before.open()
    wait_until(lambda: own.admin(target).json()["open"] is True)


@pytest.mark.skipif(not prometheus.is_installed(), reason="prometheus is not installed")
def test_prometheus_form_asks_what_is_recorded(tmp_path):
    metric, = template("railhead-gate-prometheus")["spec"]["metrics"]
    query = filled(metric["provider"]["prometheus"]["query"], release="r1")
    series = {}
    for mirror, is_open in (("a", "1x60"), ("b", "0x20 1x40")):
        series[f'up{{job="railhead", instance="{mirror}"}}'] = "1x60"
        series[f'railhead_gate_open{{job="railhead", instance="{mirror}", release="r1"}}'] = is_open
    assert "result[0] == 1" in metric["successCondition"]
    sample = 'release:railhead_gate_open:ratio{release="r1"}'
    prometheus.check_queries(tmp_path / "case.json", series,
                             [(query, 10, {sample: 0.5}), (query, 30, {sample: 1}),
                              (query.replace("r1", "r2"), 30, {})])


# ---- Flux --------------------------------------------------------------------------------

def test_flux_ring_2_depends_on_its_gate():
    chain = {document["metadata"]["name"]: document["spec"]
             for document in load("flux/hub/rings.yaml") if document["kind"] == "Kustomization"}
    gate = chain["ring-2-gate"]
    assert gate["wait"] is True and "kubeConfig" not in gate
    rings = {name: spec for name, spec in chain.items() if "store" in name}
    for name, spec in rings.items():
        depends = [on["name"] for on in spec.get("dependsOn", [])]
        assert depends == (["ring-2-gate"] if name.startswith("ring-2") else [])
        assert spec["kubeConfig"]["secretRef"]["name"] in name
    source = one("flux/hub/rings.yaml", "GitRepository")["metadata"]["name"]
    for spec in chain.values():
        assert spec["sourceRef"]["name"] == source
        assert (GITOPS / spec["path"] / "kustomization.yaml").exists()
    job, = load("flux/gate/job.yaml")
    assert job["metadata"]["annotations"] == {"kustomize.toolkit.fluxcd.io/force": "enabled"}
    assert "ttlSecondsAfterFinished" not in job["spec"], "Flux would make it anew, and it would run"


# ---- Cluster API -------------------------------------------------------------------------

@pytest.fixture(scope="module")
def birth():
    document, = load("cluster-api/kubeadmconfigtemplate.yaml")
    return document["spec"]["template"]["spec"]


def test_a_store_is_born_with_what_railhead_hosts_writes(birth, tmp_path):
    """The command of the text, run; the files, compared."""
    certs = "/etc/containerd/certs.d/"
    laid = {file["path"].removeprefix(certs): file["content"] for file in birth["files"]
            if file["path"].startswith(certs)}
    config = tmp_path / "railhead.yaml"
    config.write_text(json.dumps({"upstreams": {
        str(Path(path).parent): {"endpoints": [{"url": "https://upstream.test"}]}
        for path in laid}}))
    text = (GITOPS / "cluster-api/README.md").read_text()
    command = re.search(r"^railhead (hosts [^`]*)", text, re.M)[1].replace("\\\n", " ").split()
    command[command.index("--config") + 1] = config
    good(run(*command, "--out", tmp_path / "certs.d"))
    written = {str(path.relative_to(tmp_path / "certs.d")): path.read_text()
               for path in (tmp_path / "certs.d").rglob("hosts.toml")}
    assert laid == written
    assert command[command.index("--ca") + 1] in [file["path"] for file in birth["files"]]
    assert len({file["path"] for file in birth["files"]}) == len(birth["files"])
    assert all(("content" in file) != ("contentFrom" in file) for file in birth["files"])


CONTAINERD_1 = '[plugins."io.containerd.grpc.v1.cri".registry]\n      config_path = ""\n'
CONTAINERD_2 = "[plugins.'io.containerd.cri.v1.images'.registry]\n      config_path = ''\n"
SET_ALREADY = CONTAINERD_1.replace('""', '"/etc/containerd/certs.d"')


@pytest.mark.parametrize("before", [CONTAINERD_1, CONTAINERD_2, SET_ALREADY])
def test_containerd_is_told_where_to_look(birth, tmp_path, before):
    config = tmp_path / "config.toml"
    config.write_text(before)
    tell, restart = birth["preKubeadmCommands"]
    good(subprocess.run(["sh", "-c", tell.replace("/etc/containerd/config.toml", str(config))],
                        text=True, capture_output=True))
    assert re.search(r"""config_path = ["']/etc/containerd/certs.d["']\n$""", config.read_text())
    assert config.read_text().count("\n") == before.count("\n")
    assert restart == "systemctl restart containerd"


@pytest.mark.skipif(not is_installed("containerd"), reason="containerd is not installed")
def test_containerd_itself_understands_it(birth, tmp_path):
    config = tmp_path / "config.toml"
    config.write_text(good(subprocess.run(["containerd", "config", "default"], text=True,
                                          capture_output=True)))
    tell = birth["preKubeadmCommands"][0].replace("/etc/containerd/config.toml", str(config))
    good(subprocess.run(["sh", "-c", tell], text=True, capture_output=True))
    dump = good(subprocess.run(["containerd", "--config", config, "config", "dump"], text=True,
                               capture_output=True))
    assert 'config_path = "/etc/containerd/certs.d"' in dump
