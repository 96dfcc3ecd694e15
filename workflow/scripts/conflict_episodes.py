"""Rule conflict_episodes: pairs of episodes of two tasks on the same query."""

from taskvectors.data.episodes import write_episodes
from taskvectors.job import current_job
from taskvectors.models.loading import load_tokenizer
from taskvectors.questions.conflict.episodes import conflict_episodes
from taskvectors.store.tables import read_csvs

if __name__ == "__main__":
    with current_job() as job:
        tokenizer, params = load_tokenizer(job.input.weights), job.params
        filtered = read_csvs(job.input.filtered)
        left = set(filtered.loc[filtered["left_out"].isna(), "task"])
        episodes = conflict_episodes(
            tokenizer, params.tasks, params.conflict, left, params.dummies, params.seed, params.answer_tokens
        )
        write_episodes(job.output.episodes, episodes)
