"""Rule constant_answers: controls that need no model: the commonest answer, and the query itself."""

from taskvectors.data.episodes import read_episodes
from taskvectors.job import current_job
from taskvectors.questions.controls.constant_answers import constant_answers
from taskvectors.store.parquet import write_parquet

if __name__ == "__main__":
    with current_job() as job:
        episodes = read_episodes(job.input.episodes)
        write_parquet(job.output.predictions, constant_answers(episodes, job.params.prefix_scored, job.params.seed))
