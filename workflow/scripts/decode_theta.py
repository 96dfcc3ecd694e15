"""Rule decode_theta: the tokens that the mean θ of each task points to, at every layer (paper, section 5.2, tables 3
and 7)."""

from taskvectors.data.episodes import read_episodes
from taskvectors.job import current_job
from taskvectors.measuring.model_of_job import model_of
from taskvectors.observations.rows import main_tasks
from taskvectors.questions.decoding.measure import decode_thetas
from taskvectors.store.tables import read_csv, write_csv
from taskvectors.store.thetas import read_thetas

if __name__ == "__main__":
    with current_job() as job:
        lm, made = model_of(job)
        thetas, choice = read_thetas(job.input.theta, made), main_tasks(read_csv(job.input.choice))
        episodes = [episode for path in job.input.episodes for episode in read_episodes(path)]
        params = job.params
        tokens, ranks = decode_thetas(lm, thetas, choice, episodes, params.labels, params.top, params.seed)
        write_csv(job.output.tokens, tokens)
        write_csv(job.output.ranks, ranks)
