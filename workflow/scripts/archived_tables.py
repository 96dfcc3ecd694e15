"""Rule archived_tables: tables of an archived study, checked, where figures and report look for them."""

from pathlib import Path

from taskvectors.archive import unpack
from taskvectors.progress import reported

if __name__ == "__main__":
    with reported(snakemake.log[0], "archived_tables"):
        wanted = {f"tables/{Path(file).parent.name}/{Path(file).name}": file for file in snakemake.output.tables}
        wanted |= {Path(file).name: file for file in (snakemake.output.provenance, snakemake.output.resources)}
        unpack(snakemake.input.archive, wanted)
