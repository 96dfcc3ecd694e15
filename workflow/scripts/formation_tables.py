"""Rule formation_tables: how θ forms with every demonstration, and how far it varies with demonstrations and dummy
queries."""

from taskvectors.job import current_job
from taskvectors.observations.rows import with_kinds
from taskvectors.questions.formation.tables import formation, theta_variance
from taskvectors.store.parquet import read_parquets
from taskvectors.store.tables import read_csv, write_csv
from taskvectors.store.thetas import read_thetas

if __name__ == "__main__":
    with current_job() as job:
        choice, seed = read_csv(job.input.choice), job.params.seed
        predictions = with_kinds(read_parquets([job.input.predictions]), job.wildcards.model, job.params.kinds)
        write_csv(job.output.formation, formation(predictions, seed))
        thetas = read_thetas(job.input.theta)
        tests = {task: thetas.of(task, "test", seed) for task in choice["task"]}
        write_csv(job.output.variance, theta_variance(tests, choice, job.params.dummies))
