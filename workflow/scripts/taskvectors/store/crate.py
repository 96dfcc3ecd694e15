"""Packing a finished study into one zip: tables, figures, settings, environment and provenance, with checksums, as an
RO-Crate.

The same study gives the same bytes.
"""

import json
import zipfile
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from rocrate.rocrate import ROCrate

from taskvectors.store.archived import CHECKSUMS, PROVENANCE
from taskvectors.store.files import atomic, sha256_of
from taskvectors.store.software import ENVIRONMENTS

CRATE = "ro-crate-metadata.json"
UNDATED = (1980, 1, 1, 0, 0, 0)  # the earliest date that zip knows
FORMATS = {".csv": "text/csv", ".svg": "image/svg+xml", ".pdf": "application/pdf", ".png": "image/png"}
FORMATS |= {".json": "application/json", ".txt": "text/plain", ".yaml": "application/yaml"}


def write_archive(path: str | Path, files: Mapping[str, str | Path]) -> None:
    """Pack files into a zip, atomically; names, dates and order depend on the files alone.

    Args:
        path: of the archive.
        files: name inside the archive → file. `provenance.json` must be among them.
    """
    contents = {name: Path(file).read_bytes() for name, file in sorted(files.items())}
    contents[CRATE] = crate_metadata(contents)
    sums = "".join(f"{sha256_of(data)}  {name}\n" for name, data in sorted(contents.items()))
    contents[CHECKSUMS] = sums.encode()
    with atomic(path) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, data in sorted(contents.items()):
            entry = zipfile.ZipInfo(name, UNDATED)
            entry.external_attr = 0o644 << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.create_system = 3  # Unix, wherever it is written
            archive.writestr(entry, data)


def crate_metadata(contents: Mapping[str, bytes]) -> bytes:
    """The RO-Crate description (version 1.1) of the contents."""
    study = json.loads(contents[PROVENANCE])
    crate = ROCrate()
    crate.name = "In-context learning creates task vectors: a reproducible study"
    models = ", ".join(study["config"]["models"][name]["label"] for name in study["config"]["study"]["models"])
    crate.description = f"Tables, figures, settings and provenance of a finished study. Models: {models}."
    crate.license = "https://spdx.org/licenses/MIT"
    crate.datePublished = datetime.fromisoformat(study["date"])
    for name, data in contents.items():
        properties = {"contentSize": str(len(data)), "sha256": sha256_of(data)}
        properties["encodingFormat"] = FORMATS.get(Path(name).suffix, "application/octet-stream")
        crate.add_file(dest_path=name, source=name, properties=properties)
    return json.dumps(crate.metadata.generate(), indent=1, ensure_ascii=False).encode()


def tables_to_archive(files: Any) -> dict[str, str | Path]:
    """Tables, settings and packages of a finished study, by their names in the archive.

    Args:
        files: the inputs of rule archive: `tables` of models, `study` tables, `provenance`, `resources` and
            `environment`.
    """
    tables: dict[str, str | Path] = {
        f"tables/{Path(file).parent.name}/{Path(file).name}": file for file in files.tables
    }
    tables |= {Path(file).name: file for file in (files.provenance, files.resources)}
    tables |= in_folder("tables", files.study) | in_folder("environment", files.environment)
    used = json.loads(Path(files.provenance).read_text(encoding="utf-8"))["environments"]
    return tables | {f"environment/packages-{name}.txt": ENVIRONMENTS / f"{name}.txt" for name in used}


def in_folder(folder: str, files: Iterable[str | Path]) -> dict[str, str | Path]:
    """Files by their names in a folder of the archive."""
    return {f"{folder}/{Path(file).name}": file for file in files}
