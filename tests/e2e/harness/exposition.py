"""Prometheus' text format, read strictly."""

import re

SAMPLE = re.compile(r'^([a-zA-Z_:][\w:]*)(?:\{((?:[a-zA-Z_]\w*="(?:[^"\\\n]|\\["\\n])*",?)*)\})? (\S+)$')
LABEL = re.compile(r'([a-zA-Z_]\w*)="((?:[^"\\\n]|\\["\\n])*)"')


def unescape(text):
    return re.sub(r"\\(.)", lambda m: "\n" if m[1] == "n" else m[1], text)


class Scrape:
    def __init__(self, text):
        self.text, self.types, self.samples = text, {}, {}
        family = None
        for line in text.splitlines():
            if line.startswith("# TYPE "):
                _, _, family, kind = line.split(" ")
                assert family not in self.types, f"{family} is there twice"
                self.types[family] = kind
            elif not line.startswith("# HELP "):
                match = SAMPLE.match(line)
                assert match, line
                name, labels, value = match.groups()
                assert name == family, f"{line} is not with its family"
                key = (name, tuple(sorted((k, unescape(v)) for k, v in LABEL.findall(labels or ""))))
                assert key not in self.samples, f"{line} is there twice"
                self.samples[key] = float(value)
        assert self.samples and text.endswith("\n")

    def get(self, name, **labels):
        """The value of exactly these labels; None where there is none."""
        return self.samples.get((name, tuple(sorted(labels.items()))))

    def labels(self, name):
        """Of all samples of the family."""
        return [dict(labels) for key, labels in self.samples if key == name]
