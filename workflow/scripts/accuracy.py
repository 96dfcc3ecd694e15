"""Rule accuracy: accuracy of every method, paired differences, study seeds, and all predictions in one table."""

from taskvectors.job import current_job
from taskvectors.observations.rows import able_tasks, with_kinds
from taskvectors.questions.main_result.tables import accuracy, by_method, by_seed, differences, seed_spread
from taskvectors.store.parquet import read_parquets, write_parquet
from taskvectors.store.tables import read_csv, write_csv

if __name__ == "__main__":
    with current_job() as job:
        seed = job.params.seed
        predictions = with_kinds(read_parquets(job.input.predictions), job.wildcards.model, job.params.kinds)
        choice = read_csv(job.input.choice)
        chosen = by_method(predictions[predictions["seed"] == seed], choice)
        seeds = by_seed(predictions, read_parquets([job.input.choices]), seed)
        write_csv(job.output.accuracy, accuracy(chosen, seed))
        write_csv(job.output.differences, differences(chosen, able_tasks(choice), seed))
        write_csv(job.output.seeds, seeds)
        write_csv(job.output.seed_spread, seed_spread(seeds))
        write_parquet(job.output.predictions, predictions)
        write_parquet(job.output.chosen, chosen)
