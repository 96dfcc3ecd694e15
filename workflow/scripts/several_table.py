"""Rule several_table: several vectors in the demonstrations' place, by task."""

from taskvectors.data.episodes import TEST
from taskvectors.job import current_job
from taskvectors.observations.rows import able_tasks
from taskvectors.observations.summaries import by_episode
from taskvectors.questions.limits.tables import several
from taskvectors.store.parquet import read_parquets
from taskvectors.store.tables import read_csv, write_csv

if __name__ == "__main__":
    with current_job() as job:
        params, observations = job.params, read_parquets([job.input.observations])
        answers = read_parquets(job.input.regular)
        own = (answers["method"] == "regular") & (answers["split"] == TEST) & (answers["seed"] == params.seed)
        able = able_tasks(read_csv(job.input.choice))
        table = several(observations, by_episode(answers[own]), job.wildcards.model, params.kinds, able, params.seed)
        write_csv(job.output.several, table)
