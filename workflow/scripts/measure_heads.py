"""Rule measure_heads: what attention heads do in the tasks, and what is lost without the strongest."""

from taskvectors.data.episodes import read_episodes
from taskvectors.job import current_job
from taskvectors.measuring.model_of_job import model_of
from taskvectors.questions.rivals.heads import measure
from taskvectors.store.parquet import write_parquet

if __name__ == "__main__":
    with current_job() as job:
        lm, made = model_of(job)
        params = job.params
        episodes = [e for path in job.input.episodes for e in read_episodes(path) if e.task in params.prefix_scored]
        tables = measure(lm, episodes, params.settings, params.prefix_scored, params.answer_tokens, params.seed)
        for path, table in zip((job.output.effects, job.output.outputs, job.output.ablated), tables, strict=True):
            write_parquet(path, table, made)
