"""Rule summary: mean accuracies of our models and the paper's."""

from taskvectors.progress import reported
from taskvectors.report.summary import summary
from taskvectors.tables import read_csv, read_csvs, write_csv

if __name__ == "__main__":
    with reported(snakemake.log[0], "summary"):
        accuracy, published = read_csvs(snakemake.input.accuracy), read_csv(snakemake.input.published)
        write_csv(snakemake.output.summary, summary(accuracy, published, snakemake.params.config))
