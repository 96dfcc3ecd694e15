"""Rule provenance: code, software, hardware, weights and settings of a study, and what every rule took."""

import json
from pathlib import Path

from taskvectors.files import write_text
from taskvectors.progress import reported
from taskvectors.provenance import provenance, resources
from taskvectors.tables import write_csv

if __name__ == "__main__":
    with reported(snakemake.log[0], "provenance"):
        weights = {Path(folder).parent.name: folder for folder in snakemake.input.weights}
        found = provenance(weights, snakemake.params.config)
        write_text(snakemake.output.provenance, json.dumps(found, indent=1, ensure_ascii=False) + "\n")
        benchmarks = [file for model in weights for file in Path(f"results/{model}/benchmarks").glob("*.tsv")]
        write_csv(snakemake.output.resources, resources(benchmarks))
