"""Rule provenance: code, software, hardware, weights and settings of a study, and what every rule took."""

from pathlib import Path

from taskvectors.job import current_job
from taskvectors.store.files import files_of, write_json
from taskvectors.store.provenance import of_model, provenance, resources, stamps_by_model
from taskvectors.store.software import merged_records, read_records
from taskvectors.store.tables import write_csv

if __name__ == "__main__":
    with current_job() as job:
        models = {Path(folder).parent.name: folder for folder in job.input.weights}
        results = Path(job.log[0]).parents[1]  # here, or where a storage keeps its copy
        folders = [results / "logs", *(results / model / "logs" for model in models)]
        records = read_records(folders, job.params.families, job.params.rules)
        stamps = stamps_by_model(job.input.stamped, records, models)
        content = provenance(models, stamps, merged_records(records), job.params.config, job.params.sources)
        write_json(job.output.provenance, content)
        for path in job.output.of_models:
            write_json(path, of_model(content, Path(path).parent.name))
        benchmarks = [file for model in models for file in files_of(results / model / "benchmarks", "*.tsv")]
        write_csv(job.output.resources, resources(benchmarks, records))
