"""Rule necessity: prompts with demonstrations whose last token is changed, by layer."""

from taskvectors.data.episodes import read_episodes
from taskvectors.job import current_job
from taskvectors.measuring.model_of_job import model_of
from taskvectors.questions.necessity.measure import necessity
from taskvectors.store.parquet import write_parquet
from taskvectors.store.tables import read_csv
from taskvectors.store.thetas import read_thetas

if __name__ == "__main__":
    with current_job() as job:
        lm, made = model_of(job)
        params = job.params
        episodes = [e for path in job.input.episodes for e in read_episodes(path) if e.task in params.prefix_scored]
        thetas, scored = read_thetas(job.input.theta, made), (params.prefix_scored, params.answer_tokens)
        choice = read_csv(job.input.choice)
        table = necessity(lm, episodes, thetas, choice, params.settings, *scored, params.seed)
        write_parquet(job.output.observations, table, made)
