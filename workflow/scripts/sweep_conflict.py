"""Rule sweep_conflict: prompts of task A patched with θ of task B at every layer."""

from taskvectors.data.episodes import read_episodes
from taskvectors.job import current_job
from taskvectors.measuring.model_of_job import model_of
from taskvectors.questions.conflict.measure import sweep_pairs
from taskvectors.store.parquet import write_parquet

if __name__ == "__main__":
    with current_job() as job:
        lm, made = model_of(job)
        episodes, params = read_episodes(job.input.episodes), job.params
        table = sweep_pairs(lm, episodes, params.prefix_scored, params.answer_tokens, params.without)
        write_parquet(job.output.predictions, table, made)
