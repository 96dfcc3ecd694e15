"""Clouds of θ as t-SNE and UMAP draw them."""

import numpy as np
import pytest
from sklearn.metrics import silhouette_score
from test_tables import clouds

from taskvectors.questions.geometry.tables import embed, picture_quality


@pytest.mark.parametrize(
    ("method", "options"),
    [("tsne", {"perplexity": 30}), ("umap", {"neighbours": 15, "min_dist": 0.1})],
)
def test_pictures_are_reproducible_and_keep_neighbours(method, options):
    theta, tasks = clouds()
    xy = embed(theta, method, options, seed=1)
    assert xy.shape == (36, 2)
    assert np.array_equal(xy, embed(theta, method, options, seed=1))
    assert not np.array_equal(xy, embed(theta, method, options, seed=2))
    assert silhouette_score(xy, tasks) > 0.3
    rng = np.random.default_rng(0)
    assert picture_quality(theta, xy) > picture_quality(theta, rng.permutation(xy)) + 0.2
