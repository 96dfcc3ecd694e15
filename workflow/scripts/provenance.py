"""Rule provenance: code, software, hardware, weights and settings of a study, and what every rule took."""

from pathlib import Path

from taskvectors.files import write_json
from taskvectors.progress import reported
from taskvectors.provenance import of_model, provenance, resources
from taskvectors.software import merged, read_records
from taskvectors.stamps import Stamp
from taskvectors.tables import read_stamp, write_csv

if __name__ == "__main__":
    with reported(snakemake.log[0], "provenance"):
        weights = {Path(folder).parent.name: folder for folder in snakemake.input.weights}
        stamps: dict[str, dict[str, Stamp]] = {model: {} for model in weights}
        for path in [*snakemake.input.predictions, *snakemake.input.conflict]:
            if made_by := read_stamp(path):
                stamps[Path(path).parents[1].name][path] = made_by
        logs = ["results/logs", *(f"results/{model}/logs" for model in weights)]
        software = merged(read_records(logs, snakemake.params.families))
        found = provenance(weights, stamps, software, snakemake.params.config, snakemake.params.sources)
        write_json(snakemake.output.provenance, found)
        for path in snakemake.output.of_models:
            write_json(path, of_model(found, Path(path).parent.name))
        benchmarks = [file for model in weights for file in Path(f"results/{model}/benchmarks").glob("*.tsv")]
        write_csv(snakemake.output.resources, resources(benchmarks))
