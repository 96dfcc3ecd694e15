"""Rule several_vectors: one θ per arrow, and θ at two layers, in tasks that one vector may not hold."""

from taskvectors.data.episodes import read_episodes
from taskvectors.job import current_job
from taskvectors.measuring.model_of_job import model_of
from taskvectors.questions.limits.measure import several
from taskvectors.store.parquet import write_parquet
from taskvectors.store.tables import read_csv

if __name__ == "__main__":
    with current_job() as job:
        lm, made = model_of(job)
        params = job.params
        episodes = [e for path in job.input.episodes for e in read_episodes(path) if e.task in params.prefix_scored]
        scored = (params.prefix_scored, params.answer_tokens)
        table = several(lm, episodes, read_csv(job.input.choice), params.settings, *scored, params.seed)
        write_parquet(job.output.observations, table, made)
