"""Rule archive: the finished study in one zip, whole and without its figures, which can be rebuilt."""

from taskvectors.job import current_job
from taskvectors.store.crate import in_folder, tables_to_archive, write_archive

if __name__ == "__main__":
    with current_job() as job:
        tables = tables_to_archive(job.input)
        write_archive(job.output.tables, tables)
        write_archive(job.output.archive, tables | in_folder("figures", job.input.figures))
