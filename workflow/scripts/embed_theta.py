"""Rule embed_theta: t-SNE and UMAP pictures of θ at the common layer, and how far each can be trusted; t-SNE by layer,
and the episodes behind the points."""

from itertools import chain

from taskvectors.data.episodes import read_episodes
from taskvectors.job import current_job
from taskvectors.observations.rows import main_tasks
from taskvectors.questions.geometry.episodes import shown_episodes
from taskvectors.questions.geometry.tables import pictures, pictures_by_layer
from taskvectors.store.tables import read_csv, write_csv
from taskvectors.store.thetas import read_thetas

if __name__ == "__main__":
    with current_job() as job:
        choice = main_tasks(read_csv(job.input.choice))
        thetas = read_thetas(job.input.theta).of_tasks(choice["task"], "test", job.params.seed)
        points, quality = pictures(thetas, choice, job.params.embedding)
        write_csv(job.output.embedding, points)
        write_csv(job.output.quality, quality)
        write_csv(job.output.layers, pictures_by_layer(thetas, choice, job.params.embedding))
        episodes = chain.from_iterable(map(read_episodes, job.input.episodes))
        write_csv(job.output.episodes, shown_episodes(episodes, choice, job.params.seed))
