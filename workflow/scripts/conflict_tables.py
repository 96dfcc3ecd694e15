"""Rule conflict_tables: how often a patched prompt of task A is answered as task A, as task B and as neither, by
layer."""

from taskvectors.job import current_job
from taskvectors.questions.conflict.tables import conflicts, transfers
from taskvectors.store.parquet import read_parquets
from taskvectors.store.tables import write_csv

if __name__ == "__main__":
    with current_job() as job:
        predictions, model = read_parquets([job.input.predictions]), job.wildcards.model
        write_csv(job.output.conflict, conflicts(predictions, model, job.params.pairs, job.params.seed))
        write_csv(job.output.transfer, transfers(predictions, model))
