"""Rule study_notebook: the report's notebook, executed on the study's tables and figures."""

import os
from pathlib import Path

import papermill

import taskvectors
from taskvectors.files import atomic
from taskvectors.progress import reported

if __name__ == "__main__":
    with reported(snakemake.log[0], "study_notebook"):
        os.environ["PYTHONPATH"] = str(Path(taskvectors.__file__).parents[1])  # of the notebook's kernel
        tables = {name: list(files) for name, files in snakemake.input.items() if name in snakemake.params.tables}
        published = {f"paper/{Path(file).stem}": [file] for file in snakemake.input.published}
        files = {name: snakemake.input[name] for name in ("provenance", "schematic")}
        parameters = {**snakemake.params.page, **files, "tables": tables | published}
        with atomic(snakemake.output.notebook) as temporary:
            papermill.execute_notebook(snakemake.input.notebook, temporary, parameters, kernel_name="python3", progress_bar=False)
