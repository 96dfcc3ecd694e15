"""Rule gradient: θ beside gradient descent on the demonstrations that it was read behind."""

from taskvectors.data.episodes import read_episodes
from taskvectors.job import current_job
from taskvectors.measuring.model_of_job import model_of
from taskvectors.questions.gradient.measure import gradient
from taskvectors.store.parquet import write_parquet
from taskvectors.store.tables import read_csv
from taskvectors.store.thetas import read_thetas

if __name__ == "__main__":
    with current_job() as job:
        lm, made = model_of(job)
        params = job.params
        episodes = [e for path in job.input.episodes for e in read_episodes(path) if e.task in params.prefix_scored]
        thetas, choice = read_thetas(job.input.theta, made), read_csv(job.input.choice)
        settings, scored = params.settings, (params.prefix_scored, params.answer_tokens)
        write_parquet(
            job.output.observations, gradient(lm, episodes, thetas, choice, settings, *scored, params.seed), made
        )
