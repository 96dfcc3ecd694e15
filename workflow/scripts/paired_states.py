"""Rule paired_states: the last token's state without and with demonstrations, of the same queries."""

from taskvectors.data.episodes import read_episodes
from taskvectors.job import current_job
from taskvectors.measuring.maps import table_of
from taskvectors.measuring.model_of_job import model_of
from taskvectors.questions.ladder.measure import read
from taskvectors.store.parquet import write_parquet
from taskvectors.store.tables import read_csv

if __name__ == "__main__":
    with current_job() as job:
        lm, made = model_of(job)
        params = job.params
        episodes = [episode for path in job.input.episodes for episode in read_episodes(path)]
        pairs = read(lm, episodes, read_csv(job.input.choice), params.episodes, params.drawn_anew, params.seed)
        write_parquet(job.output.pairs, table_of(pairs), made)
