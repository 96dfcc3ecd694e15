"""The paper's own task items: fetched from the authors' repository, checked, and turned into our table format.

Their repository carries no licence, so nothing of it is kept in ours.
"""

import csv
import io
import json
import urllib.request
from pathlib import Path
from urllib.error import URLError

from taskvectors.data.pairs import TABLE_COLUMNS
from taskvectors.errors import StudyError
from taskvectors.store.files import sha256_of, write_text

TIMEOUT = 60  # seconds


def fetch_items(url: str, sha256: str, table: str | Path) -> None:
    """Download one JSON object `{input: output}`, check it, and write it as a task table.

    Args:
        url: `https:`, `http:` or `file:`.
        sha256: of the JSON file.
        table: is written atomically.

    Raises:
        StudyError: if the file cannot be had, is not the one expected, or not such an object.
    """
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT) as response:
            data = response.read()
    except (URLError, OSError) as error:
        reason = getattr(error, "reason", error)
        raise StudyError(
            f"cannot download {url}: {reason}. Check the network, or set `items: base_url` to a copy of the authors' "
            "repository (a file: URL works too)."
        ) from None
    actual = sha256_of(data)
    if actual != sha256:
        raise StudyError(f"{url}: sha256 is {actual}, expected {sha256}: not the file that the paper used.")
    items = json.loads(data)
    if not isinstance(items, dict) or not all(isinstance(output, str) for output in items.values()):
        raise StudyError(f"{url}: not a JSON object of strings.")
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(TABLE_COLUMNS)
    writer.writerows((given.strip(), output.strip(), "") for given, output in items.items())
    write_text(table, text.getvalue())
