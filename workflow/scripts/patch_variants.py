"""Rule patch_variants: other vectors in θ's place, at the layer chosen for the task."""

from taskvectors.data.episodes import read_episodes
from taskvectors.job import current_job
from taskvectors.measuring.model_of_job import model_of
from taskvectors.questions.controls.measure import variants
from taskvectors.store.parquet import write_parquet
from taskvectors.store.tables import read_csv
from taskvectors.store.thetas import read_thetas

if __name__ == "__main__":
    with current_job() as job:
        lm, made = model_of(job)
        episodes, thetas = read_episodes(job.input.episodes), read_thetas([job.input.theta], made)
        params = job.params
        table, divergences = variants(
            lm, episodes, thetas, read_csv(job.input.choice), params.prefix_scored, params.answer_tokens,
            params.seed,
        )  # fmt: skip
        write_parquet(job.output.predictions, table, made)
        write_parquet(job.output.divergences, divergences, made)
