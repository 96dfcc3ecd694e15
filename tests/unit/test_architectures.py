"""docs/architectures.md against a fresh trial: a sample of the classes always, all of them in `make test-slow`."""

import re

import pytest
from architectures import CLASSES, EXACT, REFUSED, TABLE, quiet, tried

TEXT = TABLE.read_text(encoding="utf-8")
LISTED = dict.fromkeys(re.findall(r"`([\w-]+)`", TEXT.split("**Exact**")[1].split("\n")[0]), EXACT)
LISTED |= dict.fromkeys(re.findall(r"^\| `([\w-]+)` \|", TEXT, re.MULTILINE), REFUSED)
# Those that take a fraction of a second each.
SAMPLE = ["llama", "bert", "mamba", *sorted(CLASSES)[8::16]]


def test_the_table_holds_every_class_and_says_why_one_is_refused():
    assert sorted(LISTED) == sorted(CLASSES)
    reasons = re.findall(r"^\| `[\w-]+` \| \w+ \| (.+) \|$", TEXT, re.MULTILINE)
    assert not any("TimeoutError" in reason for reason in reasons)  # none by how fast a machine is
    refused = sum(verdict == REFUSED for verdict in LISTED.values())
    assert len(reasons) == refused
    readme = (TABLE.parents[1] / "README.md").read_text(encoding="utf-8")
    assert f"{len(CLASSES) - refused} of {len(CLASSES)} types" in readme


@pytest.mark.parametrize(
    "model_type",
    [pytest.param(name, marks=[] if name in SAMPLE else pytest.mark.extended) for name in sorted(CLASSES)],
)
def test_a_fresh_trial_gives_what_the_table_says(model_type):
    quiet()
    assert tried(model_type)[0] == LISTED[model_type]
