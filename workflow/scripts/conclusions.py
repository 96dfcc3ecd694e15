"""Rule conclusions: claims, thresholds and verdicts, from the tables of all models."""

from taskvectors.conclusions import conclusions
from taskvectors.progress import reported
from taskvectors.tables import read_csvs, write_csv

if __name__ == "__main__":
    with reported(snakemake.log[0], "conclusions"):
        tables = {name: read_csvs(snakemake.input[name]) for name in snakemake.params.tables}
        write_csv(snakemake.output.conclusions, conclusions(tables, snakemake.params.tasks))
