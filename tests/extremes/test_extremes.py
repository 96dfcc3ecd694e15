"""Tables, figures and report of studies at the extremes: all wrong, all right, one episode, one task, a task that one
model lacks.

The predictions are made up; everything made of them is the study's own code.
"""

import re
import warnings
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.text import Text
from matplotlib.transforms import Bbox

from prose import prose
from taskvectors.drawing.style import Labels, drawn, save, set_style
from taskvectors.names import ALL, MEANS, OTHER_THETA, THETA, V0
from taskvectors.observations.claims import VERDICTS
from taskvectors.observations.rows import able_tasks, main_tasks, with_kinds
from taskvectors.observations.summaries import by_episode
from taskvectors.questions.conflict.tables import conflicts, transfers
from taskvectors.questions.controls.tables import controls, divergence
from taskvectors.questions.formation.tables import formation, variance
from taskvectors.questions.geometry.tables import (
    distance_histogram,
    embed,
    geometry_at_layer,
    picture_quality,
    pictures_by_layer,
    raw_and_centred,
)
from taskvectors.questions.gradient.names import CONTROLS_OF
from taskvectors.questions.gradient.tables import gradient_measures
from taskvectors.questions.ladder.tables import ladder
from taskvectors.questions.ladder.tables import ranks as needed_ranks
from taskvectors.questions.layers.tables import layer_choice, layer_sweep
from taskvectors.questions.layers.views import views
from taskvectors.questions.limits.names import WORDS as SEVERAL
from taskvectors.questions.limits.tables import limits, several
from taskvectors.questions.main_result.summary import summary
from taskvectors.questions.main_result.tables import accuracy, by_method, by_seed, differences, seed_spread
from taskvectors.questions.necessity.names import CHANGES
from taskvectors.questions.necessity.tables import necessity
from taskvectors.questions.recognition.names import SAME_TASK, SUBJECTS
from taskvectors.questions.recognition.tables import recognition
from taskvectors.questions.rivals.tables import ablation, head_effects, rivals
from taskvectors.questions.rivals.tables import doses as dose_table
from taskvectors.questions.robustness.tables import robustness
from taskvectors.report.conclusions import conclusions
from taskvectors.report.html import escaped, table_html
from taskvectors.report.page import VIEWS
from taskvectors.report.pages import page_table
from taskvectors.store.tables import read_csv, read_csvs, write_csv
from taskvectors.store.thetas import Thetas
from taskvectors.study import read_study

LAYERS, HIDDEN, DEMONSTRATIONS = 3, 8, 2
FEW = ["a", "b", "c", "turn"]
MANY = [f"task_{number}" for number in range(32)]  # more than one panel of the pictures has room for
FAMILY = {"a": "algorithmic", "b": "algorithmic", "c": "knowledge", "turn": "limits"}
FAMILY |= {task: "linguistic" if number % 2 else "translation" for number, task in enumerate(MANY)}
STUDY = read_study()
CATALOGUE = STUDY.questions
FIGURES = CATALOGUE.figures
CLAIMS = {question: file.removesuffix(".py").replace("/", ".") for question, file in CATALOGUE.claims.items()}
LABELS = {"a": "Task A", "b": "<b>Task B</b>", "c": "Task C", "turn": "There and back"}
LABELS |= {task: f"Language {task[5:]} → English" for task in MANY}
MODELS = {"m": "Model M", "n": "Model N"} | {f"model_{number}": f"Llama {number} 13B" for number in range(8)}
CASES = {
    "ordinary": {},
    "all wrong": {"outcome": False},
    "all right": {"outcome": True},
    "one episode": {"episodes": 1},
    "one task": {"tasks": ["a"]},
    "limits alone": {"tasks": ["turn"]},
    "one model lacks a task": {"lacking": ["b"]},
    "one model": {"models": 1},
    "ten models": {"episodes": 2, "models": 10},
    "many tasks": {"tasks": MANY, "episodes": 2, "models": 3},  # of more models figures are longer, not wider
}
WRITTEN = ("ordinary", "one episode", "limits alone")


def predictions(rng, tasks, episodes, outcome):
    """What extraction, sweep and variants would leave: task, split, episode, method, layer, predicted, answer,
    correct, …"""
    rows = []

    def add(task, split, method, layer=None, seed=0, **more):
        for episode in range(episodes):
            hit = bool(rng.random() < 0.5) if outcome is None else outcome
            row = {"task": task, "seed": seed, "split": split, "episode": episode, "method": method, "layer": layer}
            rows.append(row | {"predicted": "y" if hit else "x", "answer": "y", "correct": hit, "exact": hit} | more)

    for task in tasks:
        for seed in (0, 1):
            add(task, "baseline", "baseline", seed=seed)
            for split in ("dev", "test"):
                add(task, split, "regular", seed=seed)
                add(task, split, "zero_shot", seed=seed)
                for layer in range(LAYERS):
                    add(task, split, "hypothesis", layer, seed=seed)
        for method in ("majority", "copy_query", "shown_answer"):
            add(task, "test", method)
        add(task, "dev", "shown_answer")
        for method in ("random_theta", "mean_theta"):
            add(task, "test", method, LAYERS)  # the chosen one, which is not known yet
        for other in tasks:
            if other != task and FAMILY[other] == FAMILY[task]:
                add(task, "test", "other_theta", LAYERS, source=other)
    table = pd.DataFrame(rows)
    return table.assign(source=table.get("source")).astype({"layer": "Int64"})


def at_the_chosen(predictions, choice):
    """As the controls' rule, which knows the layer, would leave them."""
    chosen = predictions["task"].map(choice.set_index("task")["layer"]).astype("Int64")
    return predictions.assign(layer=predictions["layer"].mask(predictions["layer"] == LAYERS, chosen))


def forming(every, choice):
    """What the rule on formation would leave: θ itself after every number of demonstrations."""
    rows = every[(every["method"] == "regular") & (every["split"] == "test") & (every["seed"] == 0)]
    rows = rows.assign(layer=rows["task"].map(choice.set_index("task")["layer"]), cosine=1.0, cosine_centred=1.0)
    return pd.concat([rows.assign(demonstrations=k) for k in range(DEMONSTRATIONS + 1)])


def cross_predictions(rng, tasks, episodes, outcome):
    functions = [task for task in tasks if FAMILY[task] != "limits"]
    rows = []
    for a in functions:
        for b in functions:
            for kind in ("kept", "none"):
                for layer in (None, *range(LAYERS)):
                    for episode in range(episodes if a != b else 0):
                        hit = bool(rng.random() < 0.5) if outcome is None else outcome
                        rows.append((a, b, kind, episode, layer, "w", "x", "y", not hit, hit))
    columns = ["task_a", "task_b", "demonstrations", "episode", "layer", "predicted", "answer_a", "answer_b"]
    table = pd.DataFrame(rows, columns=[*columns, "correct_a", "correct_b"])
    return table.astype({"layer": "Int64", "correct_a": bool, "correct_b": bool})


def divergences(every, choice, rng):
    """What the rule of the variants would leave, at the layer of each task."""
    test = every[(every["split"] == "test") & (every["seed"] == 0)]
    layers = test["task"].map(choice.set_index("task")["layer"])
    methods = ("zero_shot", "hypothesis", "random_theta", "other_theta", "mean_theta")
    rows = test[test["method"].isin(methods) & (test["layer"].isna() | (test["layer"] == layers))]
    columns = ["model", "family", "role", "task", "episode", "method", "source", "layer"]
    return rows[columns].assign(divergence=rng.random(len(rows)))


LABEL_OF = {"regular": "demonstrations", "zero_shot": "nothing", "theta": "θ", "mean_theta": "mean θ", "added": "θ, added",
            "learned_many": "learned", "function_vector": "heads", "random_heads": "random heads"}  # fmt: skip
KIND_OF = {"regular": "reference", "zero_shot": "reference", "random_heads": "control"}


def rival_predictions(rng, tasks, episodes, outcome):
    """What the rivals' rule would leave: one representation chosen from settings, one left out for a task, one for
    all."""
    rows = []
    for place, (name, task) in enumerate((name, task) for name in LABEL_OF for task in tasks):
        row = {
            "task": task,
            "seed": 0,
            "split": "test",
            "method": name,
            "label": LABEL_OF[name],
            "kind": KIND_OF.get(name, "rival"),
        }
        if name == "function_vector" or (name == "added" and task == tasks[0]):
            rows.append(row | {"left_out": "no heads"})
            continue
        for episode in range(episodes):
            hit = bool(rng.random() < 0.5) if outcome is None else outcome
            measured = {
                "divergence": rng.random(),
                "forward": 60.5,
                "backward": 0.0,
                "layer": 1,
                "strength": 0.5 * place,
            }
            rows.append(row | {"episode": episode, "correct": hit, "exact": hit, "heads": None} | measured)
    columns = [
        "episode",
        "correct",
        "exact",
        "layer",
        "strength",
        "heads",
        "divergence",
        "forward",
        "backward",
        "left_out",
    ]
    return pd.DataFrame(rows).reindex(columns=[*row, *columns])


def head_tables(model, kinds, rng, tasks, episodes, outcome):
    effects = [(task, trial, layer, head, rng.normal()) for task in tasks for trial in range(episodes)
               for layer in range(LAYERS) for head in range(4)]  # fmt: skip
    ablated = [
        (task, "test", episode, method, 5, bool(rng.random() < 0.5) if outcome is None else outcome)
        for task in tasks for episode in range(episodes) for method in ("intact", "top_heads", "random_heads")
    ]  # fmt: skip
    predictions = pd.DataFrame(ablated, columns=["task", "split", "episode", "method", "heads", "correct"])
    effects = pd.DataFrame(effects, columns=["task", "episode", "layer", "head", "effect"])
    doses = pd.DataFrame(
        [(task, episode, kind, heads, draw, float(rng.random() < 0.5) if outcome is None else float(outcome))
         for kind, heads, draw in (("top_heads", 1, None), ("random_heads", 1, 0), ("random_heads", 1, 1), ("top_heads", 12, None))
         for task in tasks for episode in range(episodes)],
        columns=["task", "episode", "subject", "step", "draw", "value"],
    )  # fmt: skip
    found = {"heads": head_effects(effects, model, 0), "ablation": ablation(predictions, model, kinds, 0)}
    return found | {"doses": dose_table(doses, model, 12, 0)}


def observed(subjects, rng, tasks, episodes, outcome):
    """Observations of subjects: (measure, subject, step); answers are right or wrong, all else any number."""
    rows = [
        (task, episode, measure, subject, step, float(rng.random() < 0.5) if outcome is None else float(outcome))
        if measure == "accuracy" else (task, episode, measure, subject, step, abs(rng.normal()) if outcome is None else 1.0)
        for measure, subject, step in subjects for task in tasks for episode in range(episodes)
    ]  # fmt: skip
    table = pd.DataFrame(rows, columns=["task", "episode", "measure", "subject", "step", "value"])
    return table.astype({"step": "Int64"})


def recognition_observations(rng, tasks, episodes, outcome):
    """What the rule on recognition would leave; a single task has no other, a single episode none of its task."""
    there = [
        name for name in SUBJECTS if (len(tasks) > 1 or name != OTHER_THETA) and (episodes > 1 or name != SAME_TASK)
    ]
    subjects = [(measure, name, None) for measure in ("loss", "accuracy", "divergence") for name in there]
    return observed(subjects, rng, tasks, episodes, outcome).assign(layer=1)


def necessity_observations(rng, tasks, episodes, outcome):
    """What the rule on necessity would leave; a single task has no part of its own."""
    changes = CHANGES if len(tasks) > 1 else (THETA, V0)
    subjects = [("accuracy", name, None) for name in ("zero_shot", "regular")]
    subjects += [("accuracy", name, layer) for name in changes for layer in range(LAYERS - 1)]
    subjects += [("divergence", name, layer) for _, name, layer in subjects]
    return observed(subjects, rng, tasks, episodes, outcome)


def ladder_observations(rng, tasks, episodes, outcome):
    """What the ladder's rule would leave; a single task has no other."""
    rungs = [("bare", None), ("theta", None), ("constant", None), ("offset", None), ("map", 1), ("random_map", 1)]
    rungs += [("full_map", None), ("shuffled_map", None), ("state", None)]
    rungs += [("other_map", None), ("common_map", None)] if len(tasks) > 1 else []
    subjects = [(measure, *rung) for rung in rungs for measure in ("accuracy", "divergence")]
    table = observed(subjects, rng, tasks, episodes, outcome).assign(left_out=None)
    lacking = {"task": tasks[0], "measure": "accuracy", "subject": "map", "step": 16, "left_out": "too few prompts"}
    return pd.concat([table, pd.DataFrame([lacking]).astype({"step": "Int64"})], ignore_index=True)


def robustness_observations(rng, tasks, episodes, outcome):
    """What the rule on robustness would leave; a single task has no other."""
    templates = ("paper", "question")
    at = [("template", one, other, "theta") for one in templates for other in templates]
    at += [("template", one, one, "regular") for one in templates]
    several = [("no_task", "", "paper"), ("other_task", "", "paper")] if len(tasks) > 1 else []
    changed = [("wrong_answers", "100", "paper"), ("demonstrations", "1", "paper"), ("demonstrations", "2", "paper")]
    changed += [("published", "8", "question"), ("instruction", "1", "paper"), ("instruction", "2", "paper"), *several]
    at += [(*one, measure) for one in changed for measure in ("theta", "regular", "cosine")]
    rows = [
        (task, episode, *one, float(rng.random() < 0.5) if outcome is None else float(outcome))
        for one in at for task in tasks for episode in range(episodes)
    ]  # fmt: skip
    columns = ["task", "episode", "aspect", "level", "target", "measure", "value"]
    table = pd.DataFrame(rows, columns=columns).assign(left_out=None)
    lacking = {"task": tasks[0], "aspect": "demonstrations", "level": "20", "measure": "theta", "left_out": "few pairs"}
    return pd.concat([table, pd.DataFrame([lacking])], ignore_index=True)


def several_observations(rng, tasks, episodes, outcome):
    """What the rule on several vectors would leave, of tasks of limits; of none no row."""
    rows = [
        (task, episode, method, float(rng.random() < 0.5) if outcome is None else float(outcome), None)
        for method in SEVERAL for task in tasks for episode in range(episodes)
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=["task", "episode", "subject", "value", "left_out"])


def gradient_observations(rng, tasks, episodes, outcome):
    """What the gradient's rule would leave; of a single task nothing is centred, and there is no other."""
    several = len(tasks) > 1
    vectors = [
        ("v0", 0),
        ("descent", 4),
        ("theta", None),
        ("online", None),
        *([("other_theta", None)] if several else []),
    ]
    subjects = [("loss", vector, None, step) for vector, step in vectors]
    subjects += [
        (measure, *subject) for _, *subject in subjects for measure in ("accuracy", "query_loss", "divergence")
    ]
    subjects += [("cosine_to_theta", "descent", None, 4), ("below_midway", "theta", None, None)]
    directions = {
        measure: ["gradient", *(control for control in controls if several or control != "other_task")]
        for measure, controls in CONTROLS_OF.items()
    }
    states = ["raw", "centred"] if several else ["raw"]
    subjects += [("direction", one, kind, None) for one in directions["direction"] for kind in states]
    subjects += [("increment", one, kind, k) for one in directions["increment"] for kind in states for k in (1, 2)]
    subjects += [("order", one, None, None) for one in directions["order"]]
    subjects += [("spread", one, None, None) for one in ("theta", "online")]
    rows = [
        (task, episode, *subject, float(subject[0] != "accuracy" and rng.normal()) if outcome is None else float(outcome))
        for subject in subjects for task in tasks for episode in range(episodes)
    ]  # fmt: skip
    table = pd.DataFrame(rows, columns=["task", "episode", "measure", "subject", "states", "step", "value"])
    return table.assign(layer=1, share=0.5, left_out=None).astype({"step": "Int64"})


def picture_tables(head, theta, of, choice, episodes):
    """Pictures of θ, and what they are drawn of."""
    at_first = raw_and_centred(theta[:, 0], of)
    distances = pd.concat(
        [distance_histogram(vectors, of).assign(states=states, **head) for states, vectors in at_first.items()]
    )
    points, qualities = [], []
    for states, seed in [(states, 1) for states in at_first] + [(list(at_first)[-1], 2)]:
        xy = embed(at_first[states], "tsne", {"perplexity": 5}, seed)
        place = {"method": "tsne", "states": states, "seed": seed, "layer": 0}
        points.append(pd.DataFrame({"task": of, "x": xy[:, 0], "y": xy[:, 1]}).assign(**head, **place))
        qualities.append({"model": head["model"], **place, "trustworthiness": picture_quality(at_first[states], xy)})
    numbers = np.tile(np.arange(episodes), len(of) // episodes)
    thetas = Thetas(
        [(task, "test", 0, int(number)) for task, number in zip(of, numbers, strict=True)],
        theta,
        np.zeros(theta.shape[:2]),
        theta,
    )
    options = {"seeds": [1], "tsne": {"perplexity": 5}, "layer_step": 2}
    by_layer = pictures_by_layer(thetas, main_tasks(choice), options)
    shown = pd.DataFrame(
        {"model": head["model"], "task": of, "episode": numbers, "label": "x → <b>y</b>; z →", "answer": "007"}
    )
    return {
        "distances": distances,
        "embedding": pd.concat(points),
        "embedding_quality": pd.DataFrame(qualities),
        "embedding_layers": by_layer,
        "embedding_episodes": shown,
    }


def model_tables(model, rng, tasks, episodes, outcome):
    """Every table of one model, made by the functions that the rules call."""
    kinds = {task: {"family": FAMILY[task], "role": "limit" if FAMILY[task] == "limits" else "main"} for task in tasks}
    every = with_kinds(predictions(rng, tasks, episodes, outcome), model, kinds)
    first = every[every["seed"] == 0]
    choice = layer_choice(first, 0)
    every = at_the_chosen(every, choice)
    chosen = by_method(every[every["seed"] == 0], choice)
    choices = pd.concat([layer_choice(of_seed, 0).assign(seed=seed) for seed, of_seed in every.groupby("seed")])
    found = {"layer_sweep": layer_sweep(first), "layer_choice": choice, "accuracy": accuracy(chosen, 0)}
    found |= {
        "controls": controls(chosen, 0),
        "differences": differences(chosen, able_tasks(choice), 0),
        "limits": limits(chosen, ["turn"]),
    }
    found |= {"views": views(chosen, found["accuracy"], choice, 0), "seeds": by_seed(every, choices, 0)}
    found["seed_spread"] = seed_spread(found["seeds"])
    found["divergence"] = divergence(divergences(every, choice, rng), 0)
    found["formation"] = formation(forming(every, choice), 0)
    cross = cross_predictions(rng, tasks, episodes, outcome)
    found["conflict"] = conflicts(cross, model, [("a", "b")], 0)
    found["transfer"] = transfers(cross, model)
    whole = (rng, list(main_tasks(choice)["task"]), episodes, outcome)
    found["rivals"] = rivals(rival_predictions(*whole), model, kinds, able_tasks(choice), 0)
    found |= head_tables(model, kinds, *whole)
    found["recognition"] = recognition(recognition_observations(*whole), model, kinds, able_tasks(choice), 0)
    common = int(choice["common_layer"].iloc[0])
    found["necessity"] = necessity(necessity_observations(*whole), model, kinds, common, able_tasks(choice), 0)
    found["gradient"] = gradient_measures(gradient_observations(*whole), model, kinds, 0)
    regular = by_episode(first[(first["method"] == "regular") & (first["split"] == "test")])
    rungs = ladder_observations(*whole)
    found["ladder"] = ladder(rungs, regular, model, kinds, common, able_tasks(choice), 0)
    found["ranks"] = needed_ranks(rungs, regular, model, kinds, 0)
    found["robustness"] = robustness(robustness_observations(*whole), model, kinds, common, 2, able_tasks(choice), 0)
    of_limits = [task for task in tasks if kinds[task]["role"] == "limit"]
    vectors = several_observations(rng, of_limits, episodes, outcome)
    found["several"] = several(vectors, regular, model, kinds, able_tasks(choice), 0)
    head = {"model": model, "family": "algorithmic", "role": "main"}
    main = list(main_tasks(choice)["task"])
    theta = rng.normal(size=(len(main) * episodes, LAYERS, HIDDEN)).astype(np.float32)
    of = np.repeat(main, episodes)
    spread = rng.random((episodes, LAYERS))
    found["theta_variance"] = pd.concat(
        [variance(theta[of == task], spread, 2).assign(task=task, **head) for task in main]
    )
    found["geometry"] = pd.concat(
        [
            geometry_at_layer(vectors, of, 0).assign(layer=layer, states=states, **head)
            for layer in range(LAYERS)
            for states, vectors in raw_and_centred(theta[:, layer], of).items()
        ]
    )
    found |= picture_tables(head, theta, of, choice, episodes)
    ranks = {"answer_rank_best": 1, "answer_rank_median": 5, "other_answer_rank_median": 9, "name_rank": None}
    found["decoded_ranks"] = pd.DataFrame(
        [{**head, "task": task, "layer": layer, "vocabulary": 1000, "answers": 2, "name_word": None, **ranks}
         for task in main for layer in range(LAYERS)]
    ).astype({"name_rank": "Int64"})  # fmt: skip
    return found


@pytest.fixture(params=CASES, scope="module")
def study(request, tmp_path_factory):
    case = {"tasks": FEW, "episodes": 6, "outcome": None, "lacking": [], "models": 2} | CASES[request.param]
    rng = np.random.default_rng(0)
    tables = []
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)  # division by zero, mean of nothing
        models = list(MODELS)[: case["models"]]
        own = 1 if case["models"] > 2 else 2  # of many models, the first one's tables stand for all
        for model in models[:own]:
            tasks = [task for task in case["tasks"] if model == "m" or task not in case["lacking"]]
            tables.append(model_tables(model, rng, tasks, case["episodes"], case["outcome"]))
        for model in models[own:]:
            tables.append({name: table.assign(model=model) for name, table in tables[0].items()})
    folder = tmp_path_factory.mktemp("study")
    joined = {}
    for name in tables[0]:  # as figures and report read them
        paths = [folder / f"{name}.{model}.csv" for model in models]
        for path, table in zip(paths, tables, strict=True):
            write_csv(path, table[name])
        joined[name] = read_csvs(paths)
    return request.param, joined


def known(table, value):
    """Which rows of a table have an interval; it holds their value."""
    low, high = table[f"{value}_low"], table[f"{value}_high"]
    there = low.notna()
    assert there.equals(high.notna())
    assert ((low < high) & (low <= table[value] + 1e-9) & (table[value] <= high + 1e-9))[there].all()
    return there


def test_intervals_hold_their_value(study):
    case, tables = study
    counted = {"limits": "share", "layer_sweep": "accuracy", "controls": "accuracy"}  # Wilson's interval
    for name, value in counted.items():
        table = tables[name]
        assert known(table, value).all() and table[value].between(0, 1).all() and (table["n"] > 0).all(), name
    one = case == "one episode"  # of which resampling knows nothing
    for name in ("accuracy", "formation"):
        assert (known(tables[name], "accuracy") == ~(one & (tables[name]["task"] == ALL))).all(), name
    assert (known(tables["views"], "accuracy") != one).all()
    rivals = tables["rivals"][tables["rivals"]["n"] > 0]
    assert (known(rivals, "accuracy") == ~(one & rivals["task"].isin(MEANS))).all()
    for value in ("divergence", "to_theta", "to_regular"):
        of_itself = rivals["representation"] == value.removeprefix("to_")
        missing = pd.isna(rivals[value])  # where the other one has no such episode
        assert (known(rivals, value) == ~(one | of_itself | missing)).all()
    means = tables["gradient"][tables["gradient"]["task"] == ALL]
    varying = (means["measure"] == "accuracy") | (
        case not in ("all wrong", "all right")
    )  # of these all else is made up equal
    assert (known(means, "value") == (varying & (not one))).all()
    assert (known(tables["differences"], "difference") != one).all()
    assert (known(tables["controls"], "difference") != one).all()
    assert not one or (tables["controls"]["reached"].all() and tables["controls"]["undecided"].all())


def test_extremes_are_what_they_must_be(study):
    case, tables = study
    pooled = tables["accuracy"][tables["accuracy"]["task"] == ALL]
    if case in ("all wrong", "all right"):
        assert (pooled["accuracy"] == (case == "all right")).all()
        assert (tables["differences"]["difference"] == 0).all()
        assert tables["controls"]["reached"].all()
    if case == "one episode":
        assert tables["geometry"]["within_mean"].isna().all() and tables["embedding"]["x"].isna().all()
        assert tables["theta_variance"]["demonstrations"].isna().all()
    if case == "one model lacks a task":
        assert set(tables["accuracy"].query("model == 'n'")["task"]) == {"a", "c", "turn", ALL}


def test_conclusions_have_a_verdict_for_every_claim(study):
    case, tables = study
    table = conclusions(tables, LABELS, CLAIMS)
    assert set(table["verdict"]) <= set(VERDICTS)
    verdicts = table.groupby("claim")["verdict"].unique().map(set)
    if case == "all wrong":  # no task is above the floor
        assert verdicts["vector_does_task"] == {"too small"} and verdicts["holds_turn"] == {"no basis"}
        assert verdicts["as_demonstrations"] == verdicts["no_control"] == verdicts["necessary"] == {"no basis"}
    if case == "all right":
        assert verdicts["as_demonstrations"] == {"open"} and verdicts["no_control"] == {"open"}
        assert verdicts["necessary"] == {"no basis"}  # nothing to lose
    if case in ("limits alone", "one task", "ordinary"):
        assert verdicts["vector_does_task"] <= set(VERDICTS)
    if case == "one episode":  # a bootstrap of one has no width, and would show anything
        compared = [*table.loc[table["table"] == "differences", "claim"], "no_control", "function_vector", "few_steps"]
        assert all(verdicts[claim] == {"no basis"} for claim in compared)


@pytest.mark.parametrize("name", FIGURES)
def test_every_figure_is_drawn(study, tmp_path, name):
    case, t = study
    entry = FIGURES[name]
    if entry["when"] in ("limits", "pairs") and not len(t[name]):
        return  # the study has no such tasks, and no such figure
    tables = {table: t[table] for table in entry["tables"]}
    tables |= {table: pd.read_csv(f"data/paper/{table}.csv") for table in entry["published"]}
    set_style()
    figure = drawn(CATALOGUE.drawings[name], tables, Labels(MODELS, LABELS))
    pictures = [tmp_path / "figure.svg"] if case in WRITTEN else []  # all others are laid out alone
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)  # of what has no room or no layout
        save(figure, tables, [*pictures, tmp_path / "source.csv"])
    assert all(picture.stat().st_size > 1000 for picture in pictures)
    check_legible(figure, name)  # as it was laid out for the file
    drawn_from = read_csv(tmp_path / "source.csv")["table"].value_counts().to_dict()
    assert drawn_from == {table: len(rows) for table, rows in tables.items() if len(rows)}, name


def unseen_labels(axis):
    """Labels of ticks beyond the ends of an axis, which are not drawn."""
    for line in (axis.xaxis, axis.yaxis):
        low, high = sorted(line.get_view_interval())
        for tick in (*line.get_major_ticks(), *line.get_minor_ticks()):
            if not low <= tick.get_loc() <= high:
                yield from (tick.label1, tick.label2)


def check_legible(figure, name):
    """No wider than a page shows, nothing written outside the figure, and no two words of an axis on each other."""
    figure.draw_without_rendering()
    assert figure.get_figwidth() <= 17, name
    whole = figure.bbox
    texts = [text for text in figure.findobj(Text) if text.get_visible() and text.get_text().strip()]
    unseen = {text for axis in figure.axes for text in unseen_labels(axis)}
    for axis in figure.axes:
        names = [text for text in axis.texts if text.get_fontsize() == 7.5] if name == "embedding" else []
        for group in (axis.get_xticklabels(), axis.get_yticklabels(), names):
            upright = [
                text for text in group if text.get_text() and axis.get_visible() and text.get_rotation() % 90 == 0
            ]
            boxes = [text.get_window_extent() for text in upright]
            for one, other in combinations(boxes, 2):
                shared = Bbox.intersection(one, other)
                assert shared is None or min(shared.width, shared.height) < 3, (name, axis.get_title())
    for text in set(texts) - unseen:
        if text.axes is None or text.axes.get_visible():
            box = text.get_window_extent()
            inside = box.x0 > whole.x0 - 2 and box.x1 < whole.x1 + 2 and box.y0 > whole.y0 - 2 and box.y1 < whole.y1 + 2
            assert inside, (name, text.get_text())


# Too few θ for a picture; no two tasks whose θ could be exchanged.
EMPTY_VIEWS = {"theta_by_layer": ("one episode",), "transfer_by_layer": ("one task", "limits alone")}


def test_every_table_of_the_report_is_made_and_escaped(study):
    case, t = study
    config: dict = {
        "models": {name: {"label": label} for name, label in MODELS.items()},
        "tasks": {name: {"label": label} for name, label in LABELS.items()},
        "episodes": {"demonstrations": DEMONSTRATIONS},
        "study": {"models": []},
    }
    published = pd.read_csv("data/paper/main_results.csv")
    paper = {f"paper/{file.stem}": read_csv(file) for file in Path("data/paper").glob("*.csv")}
    resources = pd.DataFrame(
        {"model": ["m"], "rule": "weights", "jobs": 1, "seconds": 1.5, "cpu_seconds": 1.25, "peak_memory_mb": 2.5}
    )
    made = {"conclusions": conclusions(t, LABELS, CLAIMS), "summary": summary(t["accuracy"], published, config)}
    tables = {**t, **paper, **made, "resources": resources}
    safe = escaped(config)
    text = " ".join(prose(question.name, tables, safe) for question in CATALOGUE if question.name != "closing")
    verdicts = made["conclusions"]
    assert "Model M" in text and "nan" not in text and "<b>Task" not in text and "None" not in text
    assert "LLaMA 7B, published, 0.08–0.16" in text
    assert f"Of {len(verdicts)} verdicts" in text
    shown = CATALOGUE.report_tables
    for name, entry in shown.items():
        if set(entry["tables"]) <= set(tables):
            table = page_table(name, entry, tables, config)
            assert not entry["view"] or not table.empty or case in EMPTY_VIEWS[name], (name, case)
            if entry["view"] and not table.empty:
                drawn = VIEWS[entry["view"]](table, entry)
                assert not re.search("<b>|NaN|nan|None|null%", drawn) and drawn.count('class="panel"') > 0, name
            assert "<b>Task" not in table_html(table, name, entry["caption"], entry["tables"]), name
    missing = {name for name, entry in shown.items() if not set(entry["tables"]) <= set(tables)}
    assert missing == {"decoded_tokens", "filter"}  # of a tokenizer; the workflow's own tests show them
