"""Rule layer_views: accuracy by layer choice, over all tasks and over those that the paper shows."""

from taskvectors.job import current_job
from taskvectors.questions.layers.views import views
from taskvectors.store.parquet import read_parquets
from taskvectors.store.tables import read_csv, write_csv

if __name__ == "__main__":
    with current_job() as job:
        accuracy, choice = read_csv(job.input.accuracy), read_csv(job.input.choice)
        write_csv(job.output.views, views(read_parquets([job.input.chosen]), accuracy, choice, job.params.seed))
