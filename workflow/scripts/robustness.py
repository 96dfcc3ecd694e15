"""Rule robustness: θ of changed prompts."""

from taskvectors.data.episodes import read_episodes
from taskvectors.data.templates import parsed_all
from taskvectors.job import current_job
from taskvectors.measuring.model_of_job import model_of
from taskvectors.questions.robustness.measure import robustness
from taskvectors.store.parquet import write_parquet
from taskvectors.store.tables import read_csv

if __name__ == "__main__":
    with current_job() as job:
        lm, made = model_of(job)
        params, settings = job.params, job.params.settings
        episodes = [e for path in job.input.episodes for e in read_episodes(path) if e.task in params.prefix_scored]
        templates = parsed_all(settings["templates"])
        table = robustness(
            lm, episodes, read_csv(job.input.choice), settings, templates, settings["instructions"],
            params.drawn_anew, params.prefix_scored, params.seed,
        )  # fmt: skip
        write_parquet(job.output.observations, table, made)
