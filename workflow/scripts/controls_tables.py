"""Rule controls_tables: controls beside θ, and how far next-token distributions are from the regular prompt's."""

from taskvectors.job import current_job
from taskvectors.observations.rows import with_kinds
from taskvectors.questions.controls.tables import controls, divergence
from taskvectors.store.parquet import read_parquets
from taskvectors.store.tables import write_csv

if __name__ == "__main__":
    with current_job() as job:
        write_csv(job.output.controls, controls(read_parquets([job.input.chosen]), job.params.seed))
        divergences = with_kinds(read_parquets(job.input.divergences), job.wildcards.model, job.params.kinds)
        write_csv(job.output.divergence, divergence(divergences, job.params.seed))
