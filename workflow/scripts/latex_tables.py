"""Rule latex_tables: the report's main tables for a paper."""

from pathlib import Path

from taskvectors import reporting
from taskvectors.files import write_text
from taskvectors.latex import latex_table
from taskvectors.progress import reported
from taskvectors.tables import read_csv, read_csvs

if __name__ == "__main__":
    with reported(snakemake.log[0], "latex_tables"):
        config = snakemake.params.config
        given = {name: snakemake.input[name] for name in snakemake.params.tables}
        read = {name: read_csvs(files) for name, files in given.items()}
        choice, published = read["layer_choice"], read_csv(snakemake.input.published)
        tables = {
            "accuracy": reporting.task_table(read["accuracy"], choice, config),
            "summary": reporting.summary(read["accuracy"], published, config),
            "controls": reporting.control_table(read["controls"], config),
            "differences": reporting.difference_table(read["differences"], config),
            "views": reporting.view_table(read["views"], config),
            "limits": reporting.limits_table(read["limits"], read["differences"], config),
            "transfer": reporting.transfer_summary(read["transfer"], choice, config),
            "conclusions": reporting.conclusion_table(read_csv(snakemake.input.conclusions), config),
        }
        for file in map(Path, snakemake.output):
            write_text(file, latex_table(tables[file.stem], file.stem))
