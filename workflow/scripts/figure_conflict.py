"""Rule figure_conflict: conflicting tasks by layer."""

import pandas as pd

from taskvectors.figures import conflict, save, set_style
from taskvectors.progress import reported
from taskvectors.tables import read_csv

if __name__ == "__main__":
    with reported(snakemake.log[0], "figure_conflict"):
        set_style()
        figure = conflict(
            pd.concat(map(read_csv, snakemake.input.conflict), ignore_index=True),
            snakemake.params.models,
            snakemake.params.tasks,
        )
        for path in snakemake.output:
            save(figure, path)
