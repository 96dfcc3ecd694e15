"""A fresh study beside an archived one, table by table."""

import io
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.neighbors import NearestNeighbors

from taskvectors.observations.intervals import wilson
from taskvectors.store.tables import parse_csv, read_csv

EQUAL, ROUNDING, WITHIN, DIFFERENT = "equal", "equal up to rounding", "within interval", "different"
RELATIVE = 1e-3  # two numbers are equal up to rounding if they differ by no more than this share of the larger one,
OF_COLUMN = 1e-4  # or by no more than this share of the largest number of their column
# The share of pairs of θ in another bin of a histogram, or of tokens in another list, that rounding may move.
MOVED = 0.01
NEIGHBOURS = 5  # of a point of a picture
PICTURE = 0.05  # by which trustworthiness and neighbours of two pictures of the same θ may differ
SHARES = ("hypothesis", "exact", "unpatched")  # of n episodes, without an interval in the table: it is Wilson's
Verdict = tuple[str, str]  # and a sentence that explains it


def compare(fresh: pd.DataFrame, archived: pd.DataFrame, kind: str = "") -> Verdict:
    """The verdict on one table.

    `equal`: the same rows. `equal up to rounding`: the same rows by name, and numbers that differ by a share of
    `RELATIVE` or `OF_COLUMN` at most; of histograms and lists of tokens, a share of `MOVED` at most in other places.
    `within interval`: what differs by more has an interval, and the fresh value lies in the archived one's, or the
    archived value in the fresh one's; of pictures, trustworthiness and the neighbours of the same task differ by
    `PICTURE` at most. `different`: anything else.

    Args:
        kind: for tables that are not of plain numbers, a key of SPECIAL (`compared` in the table's entry).
    """
    if fresh.equals(archived):
        return EQUAL, f"{len(fresh)} rows"
    if list(fresh) != list(archived):
        return DIFFERENT, "the columns differ"
    return (SPECIAL[kind] if kind else _numbers)(fresh, archived)


def _numbers(fresh: pd.DataFrame, archived: pd.DataFrame) -> Verdict:
    if len(fresh) != len(archived):
        return DIFFERENT, f"{len(fresh)} rows, archived {len(archived)}"
    numeric = [c for c in fresh if pd.api.types.is_numeric_dtype(archived[c]) and archived[c].dtype != bool]
    names = [column for column in fresh if column not in numeric]
    if not fresh[names].equals(archived[names]):
        return DIFFERENT, "the rows are not the same"
    beyond = pd.DataFrame({column: _beyond_rounding(fresh[column], archived[column]) for column in numeric})
    if not beyond.to_numpy().any():
        return ROUNDING, f"{len(fresh)} rows; {_largest(fresh, archived, numeric, names)}"
    ends = {end for _, *both in _intervals(list(fresh)) for end in both}
    outside = pd.DataFrame(
        {
            column: beyond[column] & ~_between_intervals(fresh, archived, column)
            for column in numeric
            if column not in ends
        }
    )
    if outside.to_numpy().any():
        column = outside.any().idxmax()
        bounds = [_interval_of(table[outside[column]], column) for table in (fresh, archived)]
        known = any(of_table is not None and of_table[0].notna().any() for of_table in bounds)
        what = "outside each other's interval" if known else "beyond rounding, without an interval"
        return DIFFERENT, f"{outside.any(axis=1).sum()} of {len(fresh)} rows are {what} (column {column})"
    return WITHIN, f"{len(fresh)} rows; {_largest(fresh, archived, numeric, names)}"


def _beyond_rounding(fresh: pd.Series, archived: pd.Series) -> np.ndarray:
    one, other = fresh.to_numpy(float, na_value=np.nan), archived.to_numpy(float, na_value=np.nan)
    larger = np.fmax(np.abs(one), np.abs(other))
    tolerance = np.fmax(RELATIVE * larger, OF_COLUMN * np.nanmax(larger, initial=0))
    return ~((np.abs(one - other) <= tolerance) | (np.isnan(one) & np.isnan(other)))


def _largest(fresh: pd.DataFrame, archived: pd.DataFrame, numeric: list[str], names: list[str]) -> str:
    """The largest relative difference, and where it is."""
    one, other = (table[numeric].to_numpy(float, na_value=np.nan) for table in (fresh, archived))
    relative = np.abs(one - other) / np.maximum(np.fmax(np.abs(one), np.abs(other)), np.finfo(float).tiny)
    row, column = np.unravel_index(np.nanargmax(relative), relative.shape)
    place = [*names, *(c for c in ("layer", "demonstrations", "seed") if c in numeric and c != numeric[column])]
    at = ", ".join(str(cell) for cell in archived[place].iloc[row] if pd.notna(cell))
    return f"largest relative difference {relative[row, column]:.1e}, {numeric[column]} of {at}"


def _intervals(columns: list[str]) -> list[tuple[str, str, str]]:
    """Value, lower and upper column of every interval in a table."""
    return [(column, f"{column}_low", f"{column}_high") for column in columns if f"{column}_low" in columns]


def _interval_of(table: pd.DataFrame, column: str) -> tuple[pd.Series, pd.Series] | None:
    """The interval of a column, if it has one."""
    for value, low, high in _intervals(list(table)):
        if value == column:
            return table[low], table[high]
    if column in SHARES and "n" in table:
        counted = [
            wilson(round(share * n), int(n)) if pd.notna(share) else (np.nan, np.nan)
            for share, n in zip(table[column], table["n"], strict=True)
        ]
        lows, highs = zip(*counted, strict=True)
        return pd.Series(lows, table.index), pd.Series(highs, table.index)
    return None


def _between_intervals(fresh: pd.DataFrame, archived: pd.DataFrame, column: str) -> pd.Series:
    """Whether one of the two values lies in the other's interval."""
    close = pd.Series(False, fresh.index)
    for one, other in ((fresh, archived), (archived, fresh)):
        interval = _interval_of(other, column)
        if interval is not None:
            close |= one[column].between(*interval)
    return close


def _pictures(fresh: pd.DataFrame, archived: pd.DataFrame) -> Verdict:
    """Pictures of the same θ: where its points lie is chance, but not which lie together."""
    key = [column for column in ("model", "method", "states", "seed", "layer") if column in fresh]
    ours, theirs = (
        table.groupby(key, sort=False).apply(_same_task_around, include_groups=False) for table in (fresh, archived)
    )
    if not ours.index.equals(theirs.index):
        return DIFFERENT, "the pictures are not of the same θ"
    return _verdict((ours - theirs).abs().max(), "neighbours of the same task", PICTURE, WITHIN)


def _same_task_around(points: pd.DataFrame) -> float:
    """Of the nearest points of every point of a picture, the share that is of its task."""
    if points["x"].isna().any() or len(points) <= NEIGHBOURS:
        return 0.0
    near = NearestNeighbors(n_neighbors=NEIGHBOURS).fit(points[["x", "y"]]).kneighbors(return_distance=False)
    tasks = points["task"].to_numpy()
    return float((tasks[near] == tasks[:, None]).mean())


def _qualities(fresh: pd.DataFrame, archived: pd.DataFrame) -> Verdict:
    rest = [column for column in fresh if column != "trustworthiness"]
    if not fresh[rest].equals(archived[rest]):
        return DIFFERENT, "the pictures are not of the same θ"
    gap = (fresh["trustworthiness"] - archived["trustworthiness"]).abs().max()
    return _verdict(gap, "trustworthiness", PICTURE, WITHIN)


def _histograms(fresh: pd.DataFrame, archived: pd.DataFrame) -> Verdict:
    rest = [column for column in fresh if column != "count"]
    if not fresh[rest].equals(archived[rest]):
        return DIFFERENT, "the histograms are not of the same θ"
    key = [column for column in ("model", "task", "states", "kind") if column in fresh]
    moved = (fresh["count"] - archived["count"]).abs().groupby([archived[c] for c in key]).sum() / 2
    of = archived.groupby(key)["count"].sum()
    return _verdict((moved / of.clip(lower=1)).max(), "share of pairs in another bin", MOVED, ROUNDING)


def _token_lists(fresh: pd.DataFrame, archived: pd.DataFrame) -> Verdict:
    key = ["model", "task", "layer"]
    if not fresh[key].equals(archived[key]):
        return DIFFERENT, "the lists are not of the same θ"
    both = fresh[[*key, "token"]].merge(archived[[*key, "token"]].drop_duplicates(), how="left", indicator=True)
    return _verdict(
        (both["_merge"] != "both").mean(), "share of tokens that are not in the other list", MOVED, ROUNDING
    )


def _verdict(gap: float, what: str, limit: float, good: str) -> Verdict:
    return good if gap <= limit else DIFFERENT, f"{what}: {gap:.2g} apart at most, {limit} allowed"


SPECIAL: dict[str, Callable[[pd.DataFrame, pd.DataFrame], Verdict]] = {
    "pictures": _pictures,
    "qualities": _qualities,
    "histograms": _histograms,
    "token_lists": _token_lists,
}


def compared(files: Iterable[str | Path], archive: Mapping[str, bytes], kinds: Mapping[str, str]) -> pd.DataFrame:
    """Every table `results/<model>/<table>.csv` beside that of an archive: model, table, verdict, detail.

    Args:
        kinds: by table, see `compare`.
    """
    rows = []
    for file in map(Path, files):
        model, name = file.parent.name, f"tables/{file.parent.name}/{file.name}"
        if name in archive:
            verdict, why = compare(read_csv(file), parse_csv(io.BytesIO(archive[name]), name), kinds[file.stem])
        else:
            verdict, why = DIFFERENT, "not in the archive"
        rows.append((model, file.stem, verdict, why))
    return pd.DataFrame(rows, columns=["model", "table", "verdict", "detail"])
