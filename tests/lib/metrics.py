"""The Prometheus text format, read."""

import re

_LINE = re.compile(r"^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$")
_LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"')


class Metrics:
    """One scrape."""

    def __init__(self, text):
        self.text = text
        self.samples = []
        for line in text.splitlines():
            if line and not line.startswith("#"):
                name, labels, value = _LINE.match(line).groups()
                self.samples.append((name, dict(_LABEL.findall(labels or "")), float(value)))

    def names(self):
        return {name for name, _, _ in self.samples}

    def types(self):
        return dict(re.findall(r"^# TYPE (\S+) (\S+)$", self.text, re.M))

    def sum(self, name, **labels):
        """Of all cells of railhead_NAME that carry LABELS; 0 without any."""
        return sum(value for key, have, value in self.samples
                   if key == "railhead_" + name
                   and all(have.get(label) == want for label, want in labels.items()))
