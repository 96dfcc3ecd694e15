"""Bad input to the workflow: one clear message, an exit code, and nothing left behind."""

import pytest


def refused(project, yaml: str) -> str:
    (project.folder / "mine.yaml").write_text(yaml, encoding="utf-8")
    result = project.snakemake("-n", config="mine.yaml")
    assert result.returncode != 0
    assert "Traceback" not in result.stdout
    assert not (project.folder / "results").exists()
    return result.stdout


@pytest.mark.parametrize(
    ("yaml", "parts"),
    [
        ("episodes: {demonstratoins: 4}", ["demonstratoins", "episodes"]),
        ("episodes: {dev: none}", ["'none' is not of type 'integer'", "episodes"]),
        (
            "study: {models: [smollm2-135]}",
            ["study: models", "smollm2-135 ", "Did you mean smollm2-135m?", "config/models.yaml"],
        ),
        ("study: {tasks: [next_leter]}", ["study: tasks", "Did you mean next_letter?", "config/tasks.yaml"]),
        ("study: {tasks: [papr]}", ["study: tasks", "Did you mean paper?"]),
        ("study: {seeds: []}", ["[]", "study"]),
        ("study: {seeds: [1, 1]}", ["[1, 1]", "study"]),
        ("conflict: {pairs: [[to_upper, to_lowr]]}", ["conflict: pairs", "Did you mean to_lower?"]),
        ("models: {mine: {label: Mine, hub: a/b}}", ["models", "mine"]),
        (
            "{models: {mine: {label: Mine, folder: /nowhere}}, study: {models: [mine]}}",
            ["models: mine: folder: /nowhere holds no model", "save_pretrained"],
        ),
        ("{tasks: {mine: {label: M, family: own, table: data/none.csv}}, study: {tasks: all}}", ["data/none.csv"]),
        ("tasks: {mine: {label: M, family: own, inverse_of: antonym}}", ["mine: inverse_of", "Did you mean antonyms?"]),
        ("tasks: {mine: {label: M, family: own, inverse_of: copy}}", ["copy is itself made of another task"]),
        ("task_folders: [{folder: /nowhere}]", ["task_folders: /nowhere holds no table"]),
        ("task_folders: [{folder: data/tasks}]", ["a task animal_tool is known already", "Rename the table"]),
    ],
    ids=[
        "key typo",
        "wrong type",
        "model",
        "task",
        "group",
        "no seed",
        "seed twice",
        "pair",
        "hub without revision",
        "empty folder",
        "no table",
        "inverse",
        "made of made",
        "no tables",
        "known table",
    ],  # fmt: skip,
)
def test_a_bad_configuration_is_refused_with_key_and_remedy(project, yaml, parts):
    message = refused(project, yaml)
    for part in parts:
        assert part in message


def test_the_default_study_is_planned(project):
    result = project.snakemake("-n", config="config/config.yaml")
    assert result.returncode == 0, result.stdout
    assert "study_page" in result.stdout
