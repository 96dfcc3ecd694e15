"""Where the θ of different tasks lie: distances, separation scores, and two-dimensional pictures (paper, section 4.1)."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from sklearn.manifold import TSNE
from sklearn.metrics import pairwise_distances, silhouette_samples
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.neighbors import KNeighborsClassifier

from taskvectors.tables import ALL

NEIGHBOURS = 5
FOLDS = 5
BINS = np.linspace(0, 1.5, 151)


def geometry_at_layer(theta: np.ndarray, tasks: np.ndarray, seed: int) -> pd.DataFrame:
    """Separation of tasks by θ at one layer.

    Args:
        theta: `[episode, hidden]`, float.
        tasks: `[episode]`, the task of each row.
        seed: of the cross-validation folds.

    Returns:
        One row a task, then a row `all` with means: within_mean, within_std (cosine distances between different θ of the
        task, no self-pairs), between_mean, between_std (to the θ of other tasks), silhouette (cosine), knn_accuracy
        (5 nearest neighbours by cosine, stratified cross-validation). Silhouette, and distances between tasks, need two tasks.
    """
    distances = pairwise_distances(theta, metric="cosine")
    names = list(dict.fromkeys(tasks))
    several = len(names) > 1
    silhouette = silhouette_samples(distances, tasks, metric="precomputed") if several else np.full(len(tasks), np.nan)
    hits = _neighbour_hits(theta, tasks, seed) if several else np.full(len(tasks), np.nan)
    rows = []
    for name in names:
        mine = tasks == name
        within, between = split_distances(distances, mine)
        rows.append(
            {
                "task": name,
                "within_mean": within.mean(),
                "within_std": within.std(),
                "between_mean": between.mean() if several else np.nan,
                "between_std": between.std() if several else np.nan,
                "silhouette": silhouette[mine].mean(),
                "knn_accuracy": hits[mine].mean(),
            }
        )
    table = pd.DataFrame(rows)
    overall = table.drop(columns="task").mean().to_dict()
    return pd.concat([table, pd.DataFrame([{"task": ALL, **overall}])], ignore_index=True)


def split_distances(distances: np.ndarray, mine: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distances within a task (each pair once, no self-pairs) and from it to the others, both flat."""
    block = distances[np.ix_(mine, mine)]
    return block[np.triu_indices_from(block, k=1)], distances[np.ix_(mine, ~mine)].ravel()


def _neighbour_hits(theta: np.ndarray, tasks: np.ndarray, seed: int) -> np.ndarray:
    smallest = min(np.unique(tasks, return_counts=True)[1])
    folds = StratifiedKFold(min(FOLDS, smallest), shuffle=True, random_state=seed)
    neighbours = KNeighborsClassifier(min(NEIGHBOURS, len(tasks) // 2), metric="cosine")
    return cross_val_predict(neighbours, theta, tasks, cv=folds) == tasks


def distance_histogram(theta: np.ndarray, tasks: np.ndarray) -> pd.DataFrame:
    """Counts of cosine distances in fixed bins: task, kind (`within`, `between`), bin_low, bin_high, count."""
    distances = pairwise_distances(theta, metric="cosine")
    rows = []
    for name in dict.fromkeys(tasks):
        for kind, values in zip(("within", "between"), split_distances(distances, tasks == name), strict=True):
            counts, edges = np.histogram(np.clip(values, BINS[0], BINS[-1]), BINS)
            for low, high, count in zip(edges[:-1], edges[1:], counts, strict=True):
                rows.append((name, kind, low, high, count))
    return pd.DataFrame(rows, columns=["task", "kind", "bin_low", "bin_high", "count"])


def embed(theta: np.ndarray, method: str, options: Mapping[str, Any]) -> np.ndarray:
    """Two-dimensional picture of θ `[episode, hidden]` by cosine distance: `[episode, 2]`.

    Args:
        method: `tsne` (options: seed, perplexity) or `umap` (options: seed, neighbours, min_dist).
    """
    if method == "tsne":
        perplexity = min(options["perplexity"], (len(theta) - 1) / 3)
        projection = TSNE(metric="cosine", init="random", perplexity=perplexity, random_state=options["seed"])
    else:
        import umap  # slow to import: numba

        neighbours = min(options["neighbours"], len(theta) - 1)
        projection = umap.UMAP(
            metric="cosine",
            n_neighbors=neighbours,
            min_dist=options["min_dist"],
            random_state=options["seed"],
            n_jobs=1,
            init="random",
        )
    return projection.fit_transform(theta)
