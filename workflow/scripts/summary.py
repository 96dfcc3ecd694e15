"""Rule summary: mean accuracies of our models and the paper's."""

from taskvectors.job import current_job
from taskvectors.questions.main_result.summary import summary
from taskvectors.store.tables import read_csvs, write_csv

if __name__ == "__main__":
    with current_job() as job:
        accuracy, published = read_csvs(job.input.accuracy), read_csvs(job.input.published)
        write_csv(job.output.summary, summary(accuracy, published, job.params.config))
