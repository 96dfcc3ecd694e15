"""Where the θ of different tasks lie: distances, separation scores, and two-dimensional pictures (paper, section 4.1).

Of some models all θ share one large direction, so that all cosines are near one. Every measure is therefore taken of θ
itself (`raw`, as in the paper) and of θ less the mean over tasks (`centred`); claims use the latter.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from sklearn.cluster import KMeans
from sklearn.manifold import TSNE, trustworthiness
from sklearn.metrics import adjusted_rand_score, pairwise_distances, silhouette_samples
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import normalize

from taskvectors.names import ALL, CENTRED, KEY, RAW
from taskvectors.observations.rows import in_order, kinds_in, with_kinds
from taskvectors.observations.summaries import share, with_bounds
from taskvectors.progress import track
from taskvectors.store.thetas import Thetas, shared_by_tasks

NEIGHBOURS = 5
FOLDS = 5
STARTS = 3  # of k-means; the best is kept
FEWEST = 5  # θ in a picture
START = 1e-4  # deviation of the points that t-SNE begins from, as scikit-learn's own
BINS = np.linspace(0, 2, 201)
PICTURES = ("tsne", "umap")


def raw_and_centred(theta: np.ndarray, tasks: np.ndarray) -> dict[str, np.ndarray]:
    """θ itself, and θ less the mean over tasks; for a single task, which shares with no other, θ itself alone."""
    if len(np.unique(tasks)) == 1:
        return {RAW: theta}
    return {RAW: theta, CENTRED: theta - shared_by_tasks(theta, tasks)}


def geometry_at_layer(theta: np.ndarray, tasks: np.ndarray, seed: int) -> pd.DataFrame:
    """Separation of tasks by θ at one layer.

    Args:
        theta: `[episode, hidden]`, float.
        tasks: `[episode]`, the task of each row.
        seed: of the cross-validation folds and of k-means.

    Returns:
        One row a task, then a row `all` with means over tasks: n (θ), within_mean, within_std (cosine distances
            between different θ of the task, no self-pairs), between_mean, between_std (to the θ of other tasks),
            silhouette (cosine), knn_accuracy (5 nearest neighbours by cosine, stratified cross-validation; in the last
            row of all θ) with Wilson's interval; in the row `all` also ari, the adjusted Rand index (Hubert and Arabie
            1985) of tasks and as many k-means clusters of θ at unit length. What cannot be had is NaN: distances
            within a task of a single θ; all scores with a single task or with no task of two θ.
    """
    distances = pairwise_distances(theta, metric="cosine")
    names, sizes = list(dict.fromkeys(tasks)), np.unique(tasks, return_counts=True)[1]
    several, scored = len(names) > 1, len(names) > 1 and sizes.max() > 1
    none = np.full(len(tasks), np.nan)
    silhouette = silhouette_samples(distances, tasks, metric="precomputed") if scored else none
    hits = _neighbour_hits(theta, tasks, seed) if scored and sizes.min() > 1 else none
    rows = []
    for name in names:
        inside = tasks == name
        within, between = split_distances(distances, inside)
        rows.append(
            {
                "task": name,
                "n": int(inside.sum()),
                "within_mean": within.mean() if len(within) else np.nan,
                "within_std": within.std() if len(within) else np.nan,
                "between_mean": between.mean() if several else np.nan,
                "between_std": between.std() if several else np.nan,
                "silhouette": silhouette[inside].mean(),
                **_found(hits[inside]),
            }
        )
    table = pd.DataFrame(rows)
    overall = table.drop(columns="task").mean().to_dict() | {"n": len(tasks)} | _found(hits)
    overall["ari"] = adjusted_rand_score(tasks, _clusters(theta, len(names), seed)) if scored else np.nan
    return pd.concat([table, pd.DataFrame([{"task": ALL, **overall}])], ignore_index=True)


def _found(hits: np.ndarray) -> dict[str, float]:
    """The share of θ whose neighbours find their task, with its interval; NaN if they were not asked."""
    if np.isnan(hits).any():
        return dict.fromkeys(with_bounds("knn_accuracy"), np.nan)
    return share("knn_accuracy", pd.Series(hits))


def _clusters(theta: np.ndarray, count: int, seed: int) -> np.ndarray:
    return KMeans(count, n_init=STARTS, random_state=seed).fit_predict(normalize(theta))


def split_distances(distances: np.ndarray, inside: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distances within a task (each pair once, no self-pairs) and from it to the others, both flat."""
    block = distances[np.ix_(inside, inside)]
    return block[np.triu_indices_from(block, k=1)], distances[np.ix_(inside, ~inside)].ravel()


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


def embed(
    theta: np.ndarray, method: str, options: Mapping[str, Any], seed: int, start: np.ndarray | None = None
) -> np.ndarray:
    """Two-dimensional picture of θ `[episode, hidden]` by cosine distance: `[episode, 2]`, NaN for fewer than five θ.

    Args:
        method: `tsne` (options: perplexity) or `umap` (options: neighbours, min_dist).
        start: another picture of the same episodes that t-SNE begins from, shrunk; by default it begins by chance.
    """
    if len(theta) < FEWEST:
        return np.full((len(theta), 2), np.nan)
    if method == "tsne":
        perplexity = min(options["perplexity"], (len(theta) - 1) / 3)
        init: Any = "random" if start is None else (start * START / start[:, 0].std()).astype(np.float32)
        projection = TSNE(metric="cosine", init=init, perplexity=perplexity, random_state=seed)
    else:
        import umap  # slow to import: numba

        neighbours = min(options["neighbours"], len(theta) - 1)
        projection = umap.UMAP(
            metric="cosine",
            n_neighbors=neighbours,
            min_dist=options["min_dist"],
            random_state=seed,
            n_jobs=1,
            init="random",
        )
    return projection.fit_transform(theta)


def picture_quality(theta: np.ndarray, xy: np.ndarray) -> float:
    """Trustworthiness of a picture `[episode, 2]` of θ `[episode, hidden]` (Venna and Kaski 2001): 1 if all neighbours
    in it are neighbours by cosine distance; NaN for fewer than five θ."""
    if len(theta) < FEWEST:
        return np.nan
    return trustworthiness(theta, xy, n_neighbors=min(NEIGHBOURS, (len(theta) - 1) // 2), metric="cosine")


def geometry_tables(thetas: Thetas, choice: pd.DataFrame, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The study's tables `geometry.csv`, of every layer, and `distances.csv`, of the common one.

    Args:
        thetas: of the test episodes of the tasks in `choice`.
        choice: `layer_choice.csv`, limits aside.
        seed: of k-means and of the folds.
    """
    layers, tasks = thetas.theta.shape[1], thetas.tasks
    tables = [
        _labelled(geometry_at_layer(vectors, tasks, seed), choice, layer, states)
        for layer in track(range(layers), layers, "geometry", unit="layer")
        for states, vectors in raw_and_centred(thetas.theta[:, layer], tasks).items()
    ]
    common = int(choice["common_layer"].iloc[0])
    histograms = [
        _labelled(distance_histogram(vectors, tasks), choice, common, states)
        for states, vectors in raw_and_centred(thetas.theta[:, common], tasks).items()
    ]
    return pd.concat(tables, ignore_index=True), pd.concat(histograms, ignore_index=True)


def _labelled(table: pd.DataFrame, choice: pd.DataFrame, layer: int, states: str) -> pd.DataFrame:
    """Model, family, role, task, layer and states (raw or centred) in front."""
    table = with_kinds(table, choice["model"].iloc[0], kinds_in(choice))
    table.insert(len(KEY), "layer", layer)
    table.insert(len(KEY) + 1, "states", states)
    return in_order(table, choice["task"])


def pictures(thetas: Thetas, choice: pd.DataFrame, options: Mapping[str, Any]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """t-SNE and UMAP of θ at the common layer: the study's tables `embedding.csv` and `embedding_quality.csv`.

    One for each seed of θ less the mean over tasks, which separates tasks; and, as in the paper, of θ itself, at the
    first seed.

    Args:
        thetas: of the test episodes of the tasks in `choice`.
        choice: `layer_choice.csv`, limits aside.
        options: `embedding` of the configuration.
    """
    layer, tasks = int(choice["common_layer"].iloc[0]), thetas.tasks
    head = {"model": choice["model"].iloc[0]}
    head |= {name: choice.set_index("task")[name][tasks].to_numpy() for name in ("family", "role")} | {"task": tasks}
    both = raw_and_centred(thetas.theta[:, layer], tasks)
    main = CENTRED if CENTRED in both else RAW
    pictures_of = [
        (states, method, seed)
        for states in both
        for method in PICTURES
        for seed in (options["seeds"] if states == main else options["seeds"][:1])
    ]
    points, qualities = [], []
    for states, method, seed in track(pictures_of, len(pictures_of), "embed_theta", unit="picture"):
        xy = embed(both[states], method, options[method], seed)
        place = {"method": method, "states": states, "seed": seed, "layer": layer}
        table = pd.DataFrame(head | place | {"episode": thetas.episodes, "x": xy[:, 0], "y": xy[:, 1]})
        points.append(in_order(table, choice["task"]))
        quality = {"n": len(xy), "trustworthiness": picture_quality(both[states], xy)}
        qualities.append({"model": choice["model"].iloc[0]} | place | quality)
    return pd.concat(points, ignore_index=True), pd.DataFrame(qualities)


def pictures_by_layer(thetas: Thetas, choice: pd.DataFrame, options: Mapping[str, Any]) -> pd.DataFrame:
    """t-SNE of θ less the mean over tasks at the common layer and at every few others, at the first seed: the study's
    table `embedding_layers.csv`.

    Each picture begins from that of the layer before it, up and down from the common layer, so that a point that moves
    has neighbours that change. Coordinates count from the middle of a picture, in hundredths.

    Args: as of `pictures`.
    """
    common, tasks, seed = int(choice["common_layer"].iloc[0]), thetas.tasks, options["seeds"][0]
    kinds = choice.set_index("task")
    head = {"model": choice["model"].iloc[0], "family": kinds["family"][tasks].to_numpy()}
    head |= {"role": kinds["role"][tasks].to_numpy(), "task": tasks}
    layers = sorted({common, *range(0, thetas.theta.shape[1], options["layer_step"])})
    walks = [[layer for layer in layers if layer > common], [layer for layer in layers[::-1] if layer < common]]
    done = iter(track(range(len(layers)), len(layers), "embed_theta", unit="layer"))

    def picture(layer: int, start: np.ndarray | None) -> np.ndarray:
        next(done)
        *_, vectors = raw_and_centred(thetas.theta[:, layer], tasks).values()
        return embed(vectors, "tsne", options["tsne"], seed, start)

    drawn = {common: picture(common, None)}
    for walk in walks:
        before = drawn[common]
        for layer in walk:
            before = drawn[layer] = picture(layer, before)
    tables = []
    for layer, points in sorted(drawn.items()):
        xy = (points - points.mean(axis=0)).round(2)
        place = {"layer": layer, "episode": thetas.episodes, "x": xy[:, 0], "y": xy[:, 1]}
        tables.append(in_order(pd.DataFrame(head | place), choice["task"]))
    return pd.concat(tables, ignore_index=True)
