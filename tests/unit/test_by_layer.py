"""Pictures that step through layers: their numbers, and what the page makes of them."""

import json
import re
from itertools import product

import numpy as np
import pandas as pd
import pytest
from bs4 import BeautifulSoup
from sklearn.manifold import TSNE

from taskvectors.data.episodes import Episode
from taskvectors.drawing.colours import FAMILIES, FURTHER, SHARES, family_colours
from taskvectors.names import CENTRED
from taskvectors.questions.conflict.page import transfer_by_layer
from taskvectors.questions.geometry.episodes import shown_episodes
from taskvectors.questions.geometry.tables import embed, pictures_by_layer, raw_and_centred
from taskvectors.report.by_layer import PALE, SIDE, matrix_html, points_html
from taskvectors.report.cells import distinct_labels
from taskvectors.store.thetas import ARRAYS, Thetas

TASKS, EPISODES, LAYERS, HIDDEN = ("a", "b", "c"), 8, 7, 6
OPTIONS = {"seeds": [3, 4], "tsne": {"perplexity": 5}, "layer_step": 2}
CHOICE = pd.DataFrame({"model": "m", "family": ["f", "f", "g"], "role": "main", "task": TASKS, "common_layer": 3})
SAYS = "{row} in {column}: {value}%, {beside}%"


@pytest.fixture(scope="module")
def thetas() -> Thetas:
    rng = np.random.default_rng(0)
    keys = [(task, "test", 0, number) for task in TASKS for number in range(EPISODES)]
    theta = rng.normal(size=(len(keys), LAYERS, HIDDEN)) + np.repeat(3 * np.eye(3, HIDDEN), EPISODES, axis=0)[:, None]
    return Thetas(keys, theta.astype(np.float32), np.zeros((len(keys), LAYERS)), np.zeros((len(keys), HIDDEN)))


def test_every_few_layers_and_the_common_one_have_a_picture_around_its_middle(thetas):
    table = pictures_by_layer(thetas, CHOICE, OPTIONS)
    assert list(dict.fromkeys(table["layer"])) == [0, 2, 3, 4, 6]
    for _, picture in table.groupby("layer"):
        assert picture["task"].tolist() == list(np.repeat(TASKS, EPISODES))
        assert picture["episode"].tolist() == list(range(EPISODES)) * len(TASKS)
        assert picture[["x", "y"]].mean().abs().max() < 0.01
    assert table.equals(pictures_by_layer(thetas, CHOICE, OPTIONS))


def test_each_picture_begins_from_the_one_before_up_and_down_from_the_common_layer(thetas, monkeypatch):
    begun = []

    class Watched(TSNE):
        def fit_transform(self, vectors):
            begun.append((vectors, self.init))
            return super().fit_transform(vectors)

    monkeypatch.setattr("taskvectors.questions.geometry.tables.TSNE", Watched)
    table = pictures_by_layer(thetas, CHOICE, OPTIONS)
    centred = thetas.theta - thetas.theta.reshape(3, EPISODES, LAYERS, HIDDEN).mean(axis=(0, 1))
    for (vectors, start), layer, before in zip(begun, (3, 4, 6, 2, 0), (None, 3, 4, 3, 2), strict=True):
        assert np.allclose(vectors, centred[:, layer], atol=1e-5)
        if before is None:
            assert start == "random"
            continue
        picture = table.loc[table["layer"] == before, ["x", "y"]].to_numpy()
        moved = start - start.mean(axis=0)
        assert start[:, 0].std() == pytest.approx(1e-4, rel=1e-3)
        assert np.allclose(moved / moved[:, 0].std(), picture / picture[:, 0].std(), atol=1e-2)


def test_the_picture_at_the_common_layer_is_that_of_the_first_seed(thetas):
    table = pictures_by_layer(thetas, CHOICE, OPTIONS)
    expected = embed(raw_and_centred(thetas.theta[:, 3], thetas.tasks)[CENTRED], "tsne", OPTIONS["tsne"], 3)
    shown = table.loc[table["layer"] == 3, ["x", "y"]].to_numpy()
    assert np.allclose(shown, expected - expected.mean(axis=0), atol=0.006)


def test_too_few_points_make_no_picture(thetas):
    few = Thetas(thetas.rows[:2], *(getattr(thetas, name)[:2] for name in ARRAYS))
    table = pictures_by_layer(few, CHOICE[:1], OPTIONS)
    assert len(table) == 10 and table[["x", "y"]].isna().all(axis=None)


def test_an_episode_is_shown_as_its_prompt_reads():
    def episode(task="a", split="test", seed=0, number=0):
        return Episode(task, split, seed, number, (("hot", "cold"), ("big", "small")), "tall", ("short", "low"), ("x",))

    every = [episode("b"), episode(), episode(number=1), episode("d"), episode(split="dev"), episode(seed=1)]
    table = shown_episodes(every, CHOICE, 0)
    assert table[["task", "episode"]].to_numpy().tolist() == [["a", 0], ["a", 1], ["b", 0]]
    assert set(table["label"]) == {"hot → cold; big → small; tall →"} and set(table["answer"]) == {"short"}


def cells(values, first=1):
    """Rows of a matrix of two names, by layer."""
    rows = [
        {
            "panel": "<M>: bare",
            "first": first,
            "layer": layer,
            "row": row,
            "column": column,
            "value": value,
            "beside": 0.5,
        }
        for (row, column), of_layer in values.items()
        for layer, value in enumerate(of_layer)
    ]
    return pd.DataFrame(rows)


def test_a_matrix_shows_the_layer_that_it_begins_with_and_holds_all():
    values = {("A & <b>", "B"): [0.0, 0.25, 1.0], ("B", "A & <b>"): [0.125, np.nan, 0.04]}
    page = BeautifulSoup(matrix_html(cells(values), SAYS), "html.parser")
    drawn = page.select("rect.labelled")
    assert [cell["fill"] for cell in drawn] == [SHARES[3], PALE]
    assert drawn[0].title.text == "A & <b> in B: 25%, 50%"
    steps = json.loads(page.script.text)
    assert steps["layers"] == [0, 1, 2] and steps["values"] == [[0, 25, 100], [12, None, 4]]
    assert page.output.text == "1" and page.h4.text == "<M>: bare" and page.svg["aria-label"] == "<M>: bare"
    places = {(cell["data-row"], cell["data-column"]): (float(cell["x"]), float(cell["y"])) for cell in drawn}
    (x, y), (other_x, other_y) = places["A & <b>", "B"], places["B", "A & <b>"]
    assert (x, y) == (other_y, other_x) and x > y


def test_tasks_and_models_of_one_label_stay_two():
    entries = {"one": {"label": "Same"}, "two": {"label": "Same"}, "three": {"label": "Other"}}
    assert distinct_labels(entries) == {"one": "Same (one)", "two": "Same (two)", "three": "Other"}
    row = {"demonstrations": "none", "as_theta": 0.5, "as_query": 0.1, "query_task": "three"}
    transfer = pd.DataFrame(
        [
            {**row, "model": model, "theta_task": task, "layer": layer}
            for model, task, layer in product(("one", "two"), ("one", "two"), (0, 1))
        ]
    )
    choice = pd.DataFrame({"model": ["one", "two"], "common_layer": 1})
    content = transfer_by_layer({"transfer": transfer, "layer_choice": choice}, {"models": entries, "tasks": entries})
    page = BeautifulSoup(matrix_html(content, SAYS), "html.parser")
    assert [panel.h4.text for panel in page.select(".panel")] == ["Same (one): bare query", "Same (two): bare query"]
    assert {cell["data-row"] for cell in page.select("rect.labelled")} == {"Same (one)", "Same (two)"}


def test_names_in_wide_letters_have_the_room_they_need():
    def room(name):
        page = BeautifulSoup(matrix_html(cells({(name, "B"): [0.5, 0.5]}), SAYS), "html.parser")
        return float(page.select("svg > rect")[0]["x"])

    assert room("英語からフランス語") > 9 * 9.5 > room("ninechars")
    assert room("UPPER CASE") > room("upper case")


def test_what_was_not_measured_at_a_layer_is_a_dash():
    page = BeautifulSoup(matrix_html(cells({("A", "B"): [0.5, np.nan]}), SAYS), "html.parser")
    assert page.select_one("rect.labelled").title.text == "A in B: –%, 50%"


def test_points_lie_inside_their_picture_up_is_up_and_colours_are_of_families(thetas):
    table = pictures_by_layer(thetas, CHOICE, OPTIONS)
    content = pd.DataFrame(
        {
            "panel": "M", "first": 3, "layer": table["layer"], "family": table["family"],
            "point": table["task"] + " " + table["episode"].astype(str), "says": "<b> " + table["task"],
            "x": table["x"], "y": table["y"],
        }
    )  # fmt: skip
    page = BeautifulSoup(points_html(content), "html.parser")
    steps, points = json.loads(page.script.text), page.select("circle.labelled")
    assert len(points) == len(TASKS) * EPISODES and all(
        0 <= place <= SIDE for layer in steps["x"] + steps["y"] for place in layer
    )
    at = steps["layers"].index(3)
    first = table[table["layer"] == 3].reset_index(drop=True)
    order = [int(point["data-place"]) for point in points]
    assert sorted(order) == list(range(len(points)))
    for point, place in zip(points, order, strict=True):
        assert [int(point["cx"]), int(point["cy"])] == [steps["x"][at][place], steps["y"][at][place]]
        assert point.title.text == f"<b> {first['task'][place]}"
        assert point.parent["fill"] == family_colours(["f", "g"])[first["family"][place]]
    assert np.corrcoef([steps["x"][at][place] for place in first.index], first["x"])[0, 1] > 0.999
    assert np.corrcoef([steps["y"][at][place] for place in first.index], first["y"])[0, 1] < -0.999


def test_what_is_in_the_steps_of_a_picture_ends_no_script():
    page = matrix_html(cells({("</script><b>", "B"): [0.5, 0.5]}), "</script><b>{row}")
    assert len(re.findall("</script>", page)) == 1
    assert json.loads(BeautifulSoup(page, "html.parser").script.text)["says"] == "</script><b>{row}"


def test_shades_are_those_of_the_figures():
    import matplotlib.colors
    import seaborn

    palette = seaborn.color_palette("rocket_r", as_cmap=True)
    assert [matplotlib.colors.to_hex(palette(place / 10)) for place in range(11)] == list(SHARES)


def test_families_of_users_get_further_colours_behind_the_studys_own():
    assert family_colours(["mine", "knowledge", "other", "algorithmic"]) == {
        "algorithmic": FAMILIES["algorithmic"], "knowledge": FAMILIES["knowledge"], "mine": FURTHER[0], "other": FURTHER[1]
    }  # fmt: skip
