"""Rule form_theta: the state after every demonstration of a prompt, in θ's place."""

from taskvectors.data.episodes import read_episodes
from taskvectors.job import current_job
from taskvectors.measuring.model_of_job import model_of
from taskvectors.questions.formation.measure import forming
from taskvectors.store.parquet import write_parquet
from taskvectors.store.tables import read_csv
from taskvectors.store.thetas import read_thetas

if __name__ == "__main__":
    with current_job() as job:
        lm, made = model_of(job)
        params = job.params
        episodes = [e for path in job.input.episodes for e in read_episodes(path) if e.task in params.prefix_scored]
        table = forming(
            lm, episodes, read_thetas(job.input.theta, made), read_csv(job.input.choice), params.prefix_scored,
            params.answer_tokens, params.forming, params.seed,
        )  # fmt: skip
        write_parquet(job.output.predictions, table, made)
