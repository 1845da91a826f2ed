"""Debian's Prometheus and its promtool, with the rules of deploy/prometheus."""

import json
import re
import shutil
import subprocess
import urllib.parse
from pathlib import Path

import yaml

from lib import wire
from lib.daemon import Daemon
from lib.ports import free_port
from lib.railhead import ROOT
from lib.wait import wait_until

DEPLOY = ROOT / "deploy/prometheus"
RULES = sorted((DEPLOY / "rules").glob("*.yml"))
GROUPS = ["railhead-hit-ratio", "railhead-lag", "railhead-links", "railhead"]


def rules():
    """All of them, in the order of their files."""
    return [rule for path in RULES for group in yaml.safe_load(path.read_text())["groups"]
            for rule in group["rules"]]


def promtool(*words):
    return subprocess.run(["promtool", *map(str, words)], text=True, capture_output=True)


def check_queries(path, series, queries, interval="1m"):
    """promtool test rules: QUERIES are (expression, minute, expected samples as
    {labels: value}) on SERIES, which are {name and labels: values}."""
    tests = [{
        "interval": interval,
        "input_series": [{"series": name, "values": values} for name, values in series.items()],
        "promql_expr_test": [
            {"expr": expression, "eval_time": f"{minute}m",
             "exp_samples": [{"labels": labels, "value": value}
                             for labels, value in samples.items()]}
            for expression, minute, samples in queries],
    }]
    path.write_text(json.dumps({"rule_files": [str(rule) for rule in RULES],
                                "group_eval_order": GROUPS,
                                "evaluation_interval": "1m", "tests": tests}))
    done = promtool("test", "rules", path)
    assert done.returncode == 0, done.stdout + done.stderr


class Prometheus:
    """Scrapes MIRROR twice a second, as deploy/prometheus/prometheus.yml says.
    Its rules wait for nothing and look back five seconds, not minutes."""

    def __init__(self, folder, mirror, token_file=None):
        self.folder = Path(folder)
        (self.folder / "rules").mkdir(parents=True)
        self.port = free_port()
        for path in RULES:
            (self.folder / "rules" / path.name).write_text(_hurried(path.read_text()))
        config = self.folder / "prometheus.yml"
        config.write_text(json.dumps(self._config(mirror, token_file)))
        self.daemon = Daemon(
            ["prometheus", f"--config.file={config}",
             f"--storage.tsdb.path={self.folder / 'data'}",
             f"--web.listen-address=127.0.0.1:{self.port}"], self.folder / "prometheus.log")

    def _config(self, mirror, token_file):
        config = yaml.safe_load((DEPLOY / "prometheus.yml").read_text())
        config["global"] = {"scrape_interval": "500ms", "evaluation_interval": "500ms",
                            "scrape_timeout": "500ms"}
        job, = config["scrape_configs"]
        job["scheme"] = "http"
        job["static_configs"] = [{"targets": [f"127.0.0.1:{mirror.admin_port}"],
                                  "labels": {"region": "test-1"}}]
        if token_file:
            job["authorization"]["credentials_file"] = str(token_file)
        else:
            del job["authorization"]
        return config

    def start(self):
        self.daemon.spawn()
        self.daemon.wait_ready(self._is_ready)
        return self

    def stop(self):
        self.daemon.stop()

    def _is_ready(self):
        try:
            return wire.ask(self.port, "/-/ready").status == 200
        except OSError:
            return False

    # ---- asking -----------------------------------------------------------

    def api(self, path):
        answer = wire.ask(self.port, "/api/v1/" + path)
        assert answer.status == 200, answer
        return answer.json()["data"]

    def query(self, expression):
        """[(labels, value)]"""
        asked = self.api("query?query=" + urllib.parse.quote(expression))
        return [(row["metric"], float(row["value"][1])) for row in asked["result"]]

    def firing(self, name):
        return [alert for alert in self.api("alerts")["alerts"]
                if alert["labels"]["alertname"] == name and alert["state"] == "firing"]

    def wait_alert(self, name, timeout=30):
        """The alert that fires, once it does."""
        return wait_until(lambda: self.firing(name), timeout, f"{name} to fire")[0]

    def wait_quiet(self, name, timeout=30):
        wait_until(lambda: not self.firing(name), timeout, f"{name} to end")

    def wait_scraped(self, expression, timeout=30):
        return wait_until(lambda: self.query(expression), timeout, f"a sample of {expression}")


def is_installed():
    return bool(shutil.which("prometheus") and shutil.which("promtool"))


def _hurried(text):
    return re.sub(r"\[\d+m\]", "[5s]", re.sub(r"(?m)^ +for: .*\n", "", text))
