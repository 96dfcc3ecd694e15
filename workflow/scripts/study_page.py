"""Rule study_page: the executed notebook as one self-contained page."""

from taskvectors.job import current_job
from taskvectors.report.notebook import rendered
from taskvectors.store.files import write_text

if __name__ == "__main__":
    with current_job() as job:
        write_text(job.output.page, rendered(job.input.notebook, job.input.template[0]))
