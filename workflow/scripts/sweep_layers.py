"""Rule sweep_layers: θ patched into zero-shot prompts, at every layer."""

from taskvectors.data.episodes import read_episodes
from taskvectors.job import current_job
from taskvectors.measuring.model_of_job import model_of
from taskvectors.questions.layers.measure import sweep
from taskvectors.store.parquet import write_parquet
from taskvectors.store.thetas import read_thetas

if __name__ == "__main__":
    with current_job() as job:
        lm, made = model_of(job)
        episodes, thetas = read_episodes(job.input.episodes), read_thetas([job.input.theta], made)
        table = sweep(lm, episodes, thetas, job.params.prefix_scored, job.params.answer_tokens)
        write_parquet(job.output.predictions, table, made)
