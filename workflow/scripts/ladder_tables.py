"""Rule ladder_tables: rungs by task and on means over tasks, and the rank that tasks need."""

from taskvectors.data.episodes import TEST
from taskvectors.job import current_job
from taskvectors.observations.rows import able_tasks
from taskvectors.observations.summaries import by_episode
from taskvectors.questions.ladder.tables import ladder, ranks
from taskvectors.store.parquet import read_parquets
from taskvectors.store.tables import read_csv, write_csv

if __name__ == "__main__":
    with current_job() as job:
        observations, params = read_parquets([job.input.observations]), job.params
        answers = read_parquets(job.input.regular)
        own = (answers["method"] == "regular") & (answers["split"] == TEST) & (answers["seed"] == params.seed)
        choice, regular = read_csv(job.input.choice), by_episode(answers[own])
        layer, able, model = int(choice["common_layer"].iloc[0]), able_tasks(choice), job.wildcards.model
        table = ladder(observations, regular, model, params.kinds, layer, able, params.seed)
        write_csv(job.output.ladder, table)
        write_csv(job.output.ranks, ranks(observations, regular, model, params.kinds, params.seed))
