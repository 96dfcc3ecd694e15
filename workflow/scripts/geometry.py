"""Rule geometry: cosine distances of θ within and between tasks, and how well θ separates tasks, at every layer."""

from taskvectors.job import current_job
from taskvectors.observations.rows import main_tasks
from taskvectors.questions.geometry.tables import geometry_tables
from taskvectors.store.tables import read_csv, write_csv
from taskvectors.store.thetas import read_thetas

if __name__ == "__main__":
    with current_job() as job:
        choice = main_tasks(read_csv(job.input.choice))
        thetas = read_thetas(job.input.theta).of_tasks(choice["task"], "test", job.params.seed)
        geometry, distances = geometry_tables(thetas, choice, job.params.seed)
        write_csv(job.output.geometry, geometry)
        write_csv(job.output.distances, distances)
