"""Rule rivals: representations of a task side by side, on the same queries."""

from taskvectors.data.episodes import read_episodes
from taskvectors.job import current_job
from taskvectors.measuring.maps import pairs_in
from taskvectors.measuring.model_of_job import model_of
from taskvectors.questions.rivals.context import representation_of
from taskvectors.questions.rivals.doses import doses
from taskvectors.questions.rivals.measure import context_of, rivals
from taskvectors.store.parquet import read_parquets, write_parquet
from taskvectors.store.tables import read_csv
from taskvectors.store.thetas import read_thetas

if __name__ == "__main__":
    with current_job() as job:
        lm, made = model_of(job)
        params = job.params
        episodes = [e for path in job.input.episodes for e in read_episodes(path) if e.task in params.prefix_scored]
        effects, outputs = (read_parquets([path], made) for path in (job.input.effects, job.input.outputs))
        given = (lm, episodes, read_thetas(job.input.theta, made), read_csv(job.input.choice), effects, outputs)
        pairs = pairs_in(read_parquets([job.input.pairs], made))
        scored = (params.prefix_scored, params.answer_tokens)
        representations = {name: representation_of(file) for name, file in params.representations.items()}
        table = rivals(*given, representations, params.settings, *scored, params.seed, pairs)
        write_parquet(job.output.predictions, table, made)
        write_parquet(job.output.doses, doses(context_of(*given, params.settings, params.seed), *scored), made)
