"""Rule archive: the finished study in one zip, whole and without its figures, which can be rebuilt."""

import json
from pathlib import Path

from taskvectors.crate import write_archive
from taskvectors.progress import reported
from taskvectors.software import ENVIRONMENTS

if __name__ == "__main__":
    with reported(snakemake.log[0], "archive"):
        tables = {f"tables/{Path(file).parent.name}/{Path(file).name}": file for file in snakemake.input.tables}
        tables |= {Path(file).name: file for file in (snakemake.input.provenance, snakemake.input.resources)}
        tables["tables/conclusions.csv"] = snakemake.input.conclusions
        tables |= {f"environment/{Path(file).name}": file for file in snakemake.input.environment}
        used = json.loads(Path(snakemake.input.provenance).read_text(encoding="utf-8"))["environments"]
        tables |= {f"environment/packages-{name}.txt": ENVIRONMENTS / f"{name}.txt" for name in used}
        figures = {f"figures/{Path(file).name}": file for file in snakemake.input.figures}
        write_archive(snakemake.output.tables, tables)
        write_archive(snakemake.output.archive, tables | figures)
