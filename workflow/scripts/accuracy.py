"""Rule accuracy: accuracy of every method, controls, paired differences, seeds, limits, and all predictions in one table."""

from taskvectors.analysis.accuracy import accuracy_tables, divergence
from taskvectors.analysis.roles import with_kinds
from taskvectors.job import current_job
from taskvectors.store.parquet import read_parquets, write_parquet
from taskvectors.store.tables import read_csv, write_csv

if __name__ == "__main__":
    with current_job() as job:
        predictions = with_kinds(read_parquets(job.input.predictions), job.wildcards.model, job.params.kinds)
        tables = accuracy_tables(predictions, read_csv(job.input.choice), job.params.seed, job.params.bijections)
        divergences = with_kinds(read_parquets(job.input.divergences), job.wildcards.model, job.params.kinds)
        tables["divergence"] = divergence(divergences, job.params.seed)
        for name, table in tables.items():
            write_csv(job.output[name], table)
        write_parquet(job.output.predictions, predictions)
