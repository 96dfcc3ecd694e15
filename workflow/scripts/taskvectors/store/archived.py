"""Reading the archive of a finished study, every checksum verified; `taskvectors.store.crate` writes it.

Figures and report can be rebuilt from it without weights (`config/archive.yaml`).
"""

import csv
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from taskvectors.errors import StudyError
from taskvectors.store.files import sha256_of

CHECKSUMS = "checksums.sha256"
PROVENANCE = "provenance.json"
REMEDY = "Name an archive written by `make archive` in config/archive.yaml (`archive`)."


def read_archive(path: str | Path) -> dict[str, bytes]:
    """The contents of an archive, every checksum verified.

    Raises:
        StudyError: if there is no such file, it is no archive of a study, or it is damaged.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            contents = {name: archive.read(name) for name in archive.namelist()}
    except FileNotFoundError:
        raise StudyError(f"{path}: no such archive. {REMEDY}") from None
    except Exception as error:  # zipfile, zlib, lzma and bz2 have a dozen types for damaged, encrypted or unknown ones
        raise StudyError(f"{path}: not a zip file, or damaged ({error}). {REMEDY}") from None
    if CHECKSUMS not in contents or PROVENANCE not in contents:
        raise StudyError(f"{path}: a zip file, but no archive of a study: it has no {CHECKSUMS}. {REMEDY}")
    listed = set()
    for line in contents[CHECKSUMS].decode(errors="replace").removesuffix("\n").split("\n"):
        expected, _, name = line.partition("  ")
        listed.add(name)
        if name not in contents:
            raise StudyError(f"{path}: {name} is missing from the archive. Get a whole copy.")
        if sha256_of(contents[name]) != expected:
            raise StudyError(
                f"{path}: {name} was changed or damaged: its sha256 is not that of {CHECKSUMS}. Get a whole copy."
            )
    if unlisted := sorted(set(contents) - listed - {CHECKSUMS}):
        raise StudyError(f"{path}: {unlisted[0]} has no checksum in {CHECKSUMS}: it was added later. Get a whole copy.")
    return contents


SETTINGS = ("study", "models", "tasks", "episodes", "scoring", "conflict", "embedding", "compute")


def archived_config(path: str | Path) -> dict[str, Any]:
    """The settings of the archived study, as the workflow used them.

    Raises:
        StudyError: see `read_archive`.
    """
    try:
        config = json.loads(read_archive(path)[PROVENANCE])["config"]
        missing = [key for key in SETTINGS if not isinstance(config[key], dict)]
    except (ValueError, KeyError, TypeError) as error:
        raise StudyError(f"{path}: {PROVENANCE} has not the settings of a study ({error!r}). {REMEDY}") from None
    if missing:
        raise StudyError(f"{path}: {PROVENANCE} has not the settings of a study ({missing[0]}). {REMEDY}")
    return config


def member(path: str | Path, contents: Mapping[str, bytes], name: str) -> bytes:
    """A member of an archive. Raises: StudyError if it is not in there."""
    if name not in contents:
        raise StudyError(
            f"{path}: the archive lacks {name}, which this version of the study needs. Make it anew with "
            "`make archive`, or check out the version of the code that provenance.json in it names."
        )
    return contents[name]


def _first_line(content: bytes) -> str:
    return content.partition(b"\n")[0].decode(errors="replace").rstrip("\r")


def archived_tables(path: str | Path) -> dict[str, list[str]]:
    """The tables of models that an archive holds, as `<model>/<table>`, with their columns.

    Raises:
        StudyError: see `read_archive`.
    """
    return {
        # A header may be in quotes: see `write_csv`.
        name.removeprefix("tables/").removesuffix(".csv"): next(csv.reader([_first_line(content)]), [])
        for name, content in read_archive(path).items()
        if name.startswith("tables/")
    }
