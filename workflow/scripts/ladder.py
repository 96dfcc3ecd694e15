"""Rule ladder: a constant, linear maps and the state itself in the place of the query's state."""

from taskvectors.data.episodes import read_episodes
from taskvectors.job import current_job
from taskvectors.measuring.maps import pairs_in
from taskvectors.measuring.model_of_job import model_of
from taskvectors.questions.ladder.measure import ladder
from taskvectors.store.parquet import read_parquets, write_parquet
from taskvectors.store.tables import read_csv
from taskvectors.store.thetas import read_thetas

if __name__ == "__main__":
    with current_job() as job:
        lm, made = model_of(job)
        params = job.params
        episodes = [episode for path in job.input.episodes for episode in read_episodes(path)]
        thetas, choice = read_thetas(job.input.theta, made), read_csv(job.input.choice)
        fits = pairs_in(read_parquets([job.input.pairs], made))
        table = ladder(
            lm, episodes, thetas, choice, fits, params.settings, params.main, params.drawn_anew, params.sources,
            params.prefix_scored, params.answer_tokens, params.seed,
        )  # fmt: skip
        write_parquet(job.output.observations, table, made)
