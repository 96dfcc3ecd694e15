"""Rule extract_theta: θ of every episode at every layer, and the baseline and regular predictions."""

from taskvectors.data.episodes import read_episodes
from taskvectors.job import current_job
from taskvectors.measuring.model_of_job import model_of
from taskvectors.questions.main_result.measure import extract
from taskvectors.store.parquet import write_parquet
from taskvectors.store.thetas import write_thetas

if __name__ == "__main__":
    with current_job() as job:
        lm, made = model_of(job)
        episodes = read_episodes(job.input.episodes)
        thetas, table = extract(lm, episodes, job.params.prefix_scored, job.params.answer_tokens)
        write_parquet(job.output.predictions, table, made)
        write_thetas(job.output.theta, thetas, made)
