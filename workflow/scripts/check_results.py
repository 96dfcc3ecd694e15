"""Rule check_results: every table of this study beside the archived one: equal, equal up to rounding, within interval or different."""

import io
import sys
from pathlib import Path

import pandas as pd

from taskvectors.archive import read_archive
from taskvectors.comparison import DIFFERENT, compare
from taskvectors.progress import reported
from taskvectors.tables import parse_csv, read_csv, write_csv

if __name__ == "__main__":
    with reported(snakemake.log[0], "check_results"):
        contents = read_archive(snakemake.input.archive)
        rows = []
        for file in map(Path, snakemake.input.tables):
            model, name = file.parent.name, f"tables/{file.parent.name}/{file.name}"
            if name in contents:
                verdict, why = compare(read_csv(file), parse_csv(io.BytesIO(contents[name]), name), file.stem)
            else:
                verdict, why = DIFFERENT, "not in the archive"
            rows.append((model, file.stem, verdict, why))
        table = pd.DataFrame(rows, columns=["model", "table", "verdict", "detail"])
        write_csv(snakemake.output.verdicts, table)
        sys.stderr.write(table.to_string(index=False) + "\n")
