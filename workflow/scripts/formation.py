"""Rule formation: how θ forms with every demonstration, and how far it varies with demonstrations and dummy queries."""

import pandas as pd

from taskvectors.accuracy import tidy
from taskvectors.formation import formation, variance
from taskvectors.progress import reported
from taskvectors.tables import read_csv, read_parquets, write_csv
from taskvectors.thetas import read_thetas

if __name__ == "__main__":
    with reported(snakemake.log[0], "formation"):
        model, seed = snakemake.wildcards.model, snakemake.params.seed
        choice = read_csv(snakemake.input.choice)
        variants = tidy(read_parquets(snakemake.input.predictions), model, choice.set_index("task")["family"], seed)
        write_csv(snakemake.output.formation, formation(variants, choice, seed))
        theta, tasks, _ = read_thetas(snakemake.input.theta, choice["task"], "test")
        spread, _, _ = read_thetas(snakemake.input.theta, choice["task"], "test/variance_over_dummies")
        tables = []
        for row in choice.itertuples():
            mine = tasks == row.task
            table = variance(theta[mine], spread[mine], snakemake.params.dummies)
            head = {"model": model, "family": row.family, "task": row.task}
            tables.append(pd.DataFrame(head, index=table.index).join(table))
        write_csv(snakemake.output.variance, pd.concat(tables, ignore_index=True))
