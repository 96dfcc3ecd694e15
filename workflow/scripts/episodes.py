"""Rule episodes: filter a family's tasks for one tokenizer, and sample (or read) its episodes."""

from taskvectors.data.episodes import write_episodes
from taskvectors.data.family_episodes import family_episodes
from taskvectors.job import current_job
from taskvectors.models.language_model import context_length
from taskvectors.models.loading import load_config, load_tokenizer
from taskvectors.store.tables import write_csv

if __name__ == "__main__":
    with current_job() as job:
        tokenizer, context = load_tokenizer(job.input.weights), context_length(load_config(job.input.weights))
        params = job.params
        episodes, filtered = family_episodes(
            tokenizer, context, params.tasks, params.settings, params.seeds, params.answer_tokens
        )
        filtered.insert(0, "model", job.wildcards.model)
        write_csv(job.output.filtered, filtered)
        write_episodes(job.output.episodes, episodes)
