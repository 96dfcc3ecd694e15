"""Pages of the documentation that follow from the code: every setting, from the schema; every table, from the
entries of the questions.

`python docs/generated.py` writes config/README.md; `docs/conf.py` writes the others when the site is built.
"""

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "workflow/scripts"))

from taskvectors.entries import Question, read_questions
from taskvectors.settings import merged, read_yaml
from taskvectors.study import CONDITIONS, DEFAULTS, SCHEMA, published

NAMED = "<name>"  # a key of the user's choice
BOUNDS = {
    "minimum": "≥ {}",
    "exclusiveMinimum": "> {}",
    "maximum": "≤ {}",
    "minItems": "at least {}",
    "maxItems": "at most {}",
}
SHOWN = 60  # characters of a default
REGISTRIES = ("models", "tasks", "items")  # their values are entries, not settings


def questions() -> list[Question]:
    return read_questions(published(ROOT), CONDITIONS)


def schema() -> dict[str, Any]:
    """The schema of the configuration, with the settings of all questions."""
    whole = read_yaml(ROOT / SCHEMA)
    for question in questions():
        whole["properties"] |= question.settings
    return whole


def settings_of(whole: Mapping[str, Any]) -> Iterator[tuple[tuple[str, ...], dict[str, Any]]]:
    """Every setting: its keys, and its schema with what `$ref` names."""

    def resolved(node: Mapping[str, Any]) -> dict[str, Any]:
        at = {**node}
        for part in [node, *node.get("allOf", [])]:
            if "$ref" in part:
                at = {**resolved(whole["$defs"][part["$ref"].rsplit("/", 1)[1]]), **at}
        return at

    def below(node: Mapping[str, Any], keys: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], dict[str, Any]]]:
        own = resolved(node)
        if keys:
            yield keys, own
        for name, child in own.get("properties", {}).items():
            yield from below(child, (*keys, name))
        if isinstance(own.get("additionalProperties"), dict) and own["additionalProperties"].get("properties"):
            yield from below(own["additionalProperties"], (*keys, NAMED))
        if own.get("items", {}).get("properties"):
            yield from below(own["items"], (*keys, NAMED))

    yield from below(whole, ())


def kinds_of(node: Mapping[str, Any]) -> list[str]:
    """Types that a setting may have."""
    named = [one.get("type", "string") for one in (node, *node.get("oneOf", [])) if "type" in one or one is not node]
    return [kind for one in named for kind in ([one] if isinstance(one, str) else one)]


def values(node: Mapping[str, Any]) -> str:
    """What a setting may be."""
    if "enum" in node:
        return ", ".join(f"`{one}`" for one in node["enum"])
    words = {"integer": "whole number", "array": "list", "string": "text", "boolean": "true or false", "object": "keys"}
    kind = " or ".join(dict.fromkeys(words.get(one, one) for one in kinds_of(node)))
    bounds = [words.format(node[key]) for key, words in BOUNDS.items() if key in node]
    return ", ".join([kind, *bounds])


def default_of(config: Any, keys: tuple[str, ...], node: Mapping[str, Any]) -> str:
    for key in keys:
        config = config.get(key) if isinstance(config, Mapping) else None
    if NAMED in keys or keys[0] in REGISTRIES:
        config = node.get("default")
    if config is None:
        return "`null`" if "null" in kinds_of(node) else ""
    text = str(config).lower() if isinstance(config, bool) else str(config)
    return f"`{text}`" if len(text) <= SHOWN else f"`{text[:SHOWN].rsplit(',', 1)[0]}, …`"


def cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def settings_tables(level: str) -> str:
    """Every setting, a table for every key of the top level.

    Args:
        level: what begins a heading.
    """
    config = merged(*(read_yaml(ROOT / file) for file in DEFAULTS))
    parts: list[str] = []
    for keys, node in settings_of(schema()):
        name = ": ".join(keys)
        if len(keys) == 1:
            parts.append(f"\n{level} `{name}`\n\n{node['description']}\n")
            if "properties" not in node and "additionalProperties" not in node and "items" not in node:
                parts[-1] += f"\n{values(node)}; default {default_of(config, keys, node) or '–'}\n"
            else:
                parts.append("\n| key | may be | default | what |\n|---|---|---|---|\n")
        elif keys[-1] != NAMED and "properties" not in node:
            shown = default_of(config, keys, node)
            row = (f"`{name}`", values(node), shown, node.get("description", ""))
            parts.append(f"| {' | '.join(map(cell, row))} |\n")
    return "".join(parts).lstrip("\n")


def settings_page() -> str:
    return f"# Settings\n\n`<name>` stands for a name of yours.\n\n{settings_tables('##')}"


def config_readme() -> str:
    """config/README.md, which the catalog of Snakemake workflows shows."""
    return f"""<!-- Written by `make docs` from workflow/schemas/config.schema.yaml and the question.yaml files. Change those. -->

# Configuration

`config.yaml` is the default study; `models.yaml` and `tasks.yaml` say what a model and a task are. Put what differs into
a file of your own, and lay it over:

```sh
snakemake --cores all --use-conda --configfile config/mine.yaml
```

```yaml
study:
  models: [my-model]
  tasks: [paper, own]
models:
  my-model: {{label: My model, folder: /path/to/a/save_pretrained/folder}}
task_folders: [{{folder: my tables}}]
```

`<name>` stands for a name of yours. An unknown key or a bad value is refused, with file and line.

{settings_tables("##")}"""


def tables_page() -> str:
    """Every table that a study writes."""
    parts = [
        "# Tables\n\nTables of one model are in `results/<model>/`, those over all models in `results/`. They are CSV "
        "files in UTF-8 with six significant digits. A column with ± has its 95% interval in two more columns, with "
        "`_low` and `_high` behind its name.\n"
    ]
    for question in questions():
        if question.tables:
            parts.append(f"\n## {question.title or question.section}\n")
        for name, entry in question.tables.items():
            bounds = {f"{column}_{end}" for column in entry["intervals"] for end in ("low", "high")}
            columns = [
                f"`{one}`{' ±' if one in entry['intervals'] else ''}" for one in entry["columns"] if one not in bounds
            ]
            file = f"{'' if entry['study'] else '<model>/'}{name}.csv"
            notes = " ".join(" ".join(part.split()) for part in (entry["note"], entry["about"]) if part)
            parts.append(f"\n### `{file}`\n\nOne row is {entry['row']}. {notes}\n\nColumns: {', '.join(columns)}\n")
    return "".join(parts)


if __name__ == "__main__":
    (ROOT / "config/README.md").write_text(config_readme(), encoding="utf-8")
