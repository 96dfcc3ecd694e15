"""Rule choose_layer: accuracy by layer, and the layers chosen on dev episodes: by task, and one for all tasks."""

from taskvectors.analysis.choose_layer import layer_choice, layer_sweep
from taskvectors.analysis.roles import with_kinds
from taskvectors.job import current_job
from taskvectors.store.parquet import read_parquets
from taskvectors.store.tables import write_csv

if __name__ == "__main__":
    with current_job() as job:
        predictions = with_kinds(read_parquets(job.input.predictions), job.wildcards.model, job.params.kinds)
        first = predictions[predictions["seed"] == job.params.seed]
        write_csv(job.output.sweep, layer_sweep(first))
        write_csv(job.output.choice, layer_choice(first, job.params.seed))
