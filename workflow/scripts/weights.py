"""Rule weights: one folder of safetensors and tokenizer files, whatever they came as."""

from pathlib import Path

from taskvectors.progress import reported
from taskvectors.weights import prepare


def main(source: Path, folder: Path, parameters: int | None) -> None:
    prepare(source, folder, parameters)


if __name__ == "__main__":
    with reported(snakemake.log[0], "weights"):
        main(Path(snakemake.params.source), Path(snakemake.output.folder), snakemake.params.parameters)
