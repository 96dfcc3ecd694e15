"""Rule weights: one folder of safetensors and tokenizer files, whatever they came as."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from taskvectors.loading import one_message
from taskvectors.preparation import check_prepared, prepare
from taskvectors.progress import reported
from taskvectors.random_weights import random_model
from taskvectors.weights import write_manifest


def main(
    source: Path, tables: list[str], folder: Path, parameters: int | None, dtype: str, random: Mapping[str, Any] | None
) -> None:
    if random is None:
        prepare(source, folder, parameters)
    else:
        folder.mkdir(parents=True, exist_ok=True)
        with one_message("config/models.yaml", "a model of this `shape`", "Correct the numbers."):
            random_model(random, tables, folder)
        write_manifest(folder)
    check_prepared(folder, dtype)


if __name__ == "__main__":
    with reported(snakemake.log[0], "weights"):
        main(
            Path(snakemake.params.source),
            list(snakemake.input.source),
            Path(snakemake.output.folder),
            snakemake.params.parameters,
            snakemake.params.dtype,
            snakemake.params.random,
        )
