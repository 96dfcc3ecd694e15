"""A table of a quarter of a million rows."""

import subprocess
import sys


def test_a_quarter_of_a_million_rows_stay_under_half_a_gigabyte(tmp_path):
    """Reading, filtering and sampling, in a process of its own to see its peak."""
    table = tmp_path / "many.csv"
    with table.open("w", encoding="utf-8") as file:
        file.write("input,output,also_accepted\n")
        file.writelines(f"input number {i},output{i % 1000},\n" for i in range(250_000))
    code = f"""
import re, sys
sys.path[:0] = ["workflow/scripts", "tests", "tests/unit"]
from test_data import Bytes
from taskvectors.data.sampling import sample_episode
from taskvectors.data.tasks import load_task
from taskvectors.data.tokens import short_answers
task = load_task("many", {{"family": "own", "table": {str(table)!r}}})
kept = short_answers(Bytes(), task, len("output99"))
for number in range(200):
    sample_episode(kept.task, "test", number, demonstrations=5, dummies=2, seed=0)
status = open("/proc/self/status").read()  # unlike getrusage's, this peak does not begin at the parent's
print(kept.total, kept.kept, int(re.search(r"VmHWM:\\s+(\\d+) kB", status)[1]) // 1024)
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    total, kept, megabytes = map(int, result.stdout.split())
    assert (total, kept) == (250_000, 25_000)
    assert megabytes < 500
