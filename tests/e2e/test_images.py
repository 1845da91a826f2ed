"""railhead images: references out of rendered Kubernetes YAML."""

import json

from lib.railhead import run

DEPLOYMENT = """\
# Source: shop/templates/web.yaml
apiVersion: apps/v1
kind: Deployment
spec:
  template:
    spec:
      initContainers:
        - {name: init, image: "registry.test/init@sha256:00"}
      containers:
        - name: web
          image: registry.test/web:1.2
"""


def test_several_documents():
    done = run("images", stdin=f"{DEPLOYMENT}---\n# nothing here\n---\n{DEPLOYMENT}")
    assert done.returncode == 0, done
    assert done.stdout.splitlines() == ["registry.test/init@sha256:00", "registry.test/web:1.2"]


def test_json_of_kubectl():
    items = [{"kind": "Pod", "spec": {"containers": [{"image": f"a/b:{i}"}]}} for i in range(3)]
    done = run("images", stdin=json.dumps({"kind": "List", "items": items}, indent="\t"))
    assert done.stdout.split() == ["a/b:0", "a/b:1", "a/b:2"], done


def test_custom_resources_on_request():
    text = "kind: Prometheus\nspec: {image: quay.test/p:1}\n"
    assert run("images", stdin=text).stdout == ""
    assert run("images", "--all", stdin=text).stdout == "quay.test/p:1\n"


def test_bad_yaml():
    done = run("images", stdin=f"{DEPLOYMENT}---\na: [\n")
    assert (done.returncode, done.stdout) == (1, "")
    assert "standard input:1" in done.stderr and "not YAML" in done.stderr


def test_an_image_left_empty():
    done = run("images", stdin=DEPLOYMENT.replace("registry.test/web:1.2", "''"))
    assert done.returncode == 1
    assert "standard input:11:" in done.stderr
    assert done.stdout == "registry.test/init@sha256:00\n"


def test_large():
    done = run("images", stdin="---\n".join(
        DEPLOYMENT.replace("web:1.2", f"web:{i}") for i in range(2000)))
    assert len(done.stdout.splitlines()) == 2001
