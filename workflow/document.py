"""Write the list of tables in results/README.md from the entries of all questions; `make docs` calls it."""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "workflow/scripts"))

from taskvectors.entries import readme
from taskvectors.study import read_study

README = ROOT / "results/README.md"
LIST = re.compile(r"\| file \| one row is .*?\n\n", re.DOTALL)


def documented() -> str:
    """results/README.md with the list of tables as it should be."""
    tables = readme(read_study().questions)
    return LIST.sub(lambda _: f"{tables}\n\n", README.read_text(encoding="utf-8"), count=1)


if __name__ == "__main__":
    README.write_text(documented(), encoding="utf-8")
