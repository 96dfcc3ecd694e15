"""What a study is: a configuration resolved into plain objects, and one clear message for a bad one."""

import json
from pathlib import Path

import numpy as np
import psutil
import pytest
import yaml
from safetensors.numpy import save_file

from conftest import ROOT
from taskvectors import sizing
from taskvectors.errors import StudyError
from taskvectors.estimates import Planned, half_widths, scaled_hours, tokens_of
from taskvectors.models.memory import memory_at_hand
from taskvectors.paths import MOST_PARAMETERS
from taskvectors.report.page import Page
from taskvectors.store.archived import CHECKSUMS, read_archive
from taskvectors.store.crate import CRATE, write_archive
from taskvectors.study import read_study, study_of


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """Studies are read in a folder of their own, not in the workflow's."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def refused(text: str, folder) -> str:
    (folder / "mine.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(StudyError) as error:
        study = read_study(["mine.yaml"])
        assert study.questions.figures and study.questions.report_tables
    assert "\n" not in str(error.value)
    return str(error.value)


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
        ("study: {seeds: []}", ["[] should be non-empty", "mine.yaml: study: seeds"]),
        ("{models: null}", ["mine.yaml: models: None is not of type 'object'"]),
        (
            "study: {models: smollm2-135m}",
            ["mine.yaml: study: models: 'smollm2-135m' is not of type 'array'. Correct it"],
        ),
        ("study: {seeds: [010]}", ["mine.yaml, line 1: study: seeds: 010 is 8 to YAML"]),
        ("study: {seeds: [1, 1]}", ["[1, 1]", "study"]),
        ("conflict: {pairs: [[to_upper, to_lowr]]}", ["conflict: pairs", "Did you mean to_lower?"]),
        ("models: {mine: {label: Mine, hub: a/b}}", ["models", "mine"]),
        (
            "{models: {mine: {label: Mine, folder: /nowhere}}, study: {models: [mine]}}",
            ["mine.yaml, line 1, models: mine: folder: /nowhere holds no model", "save_pretrained"],
        ),
        (
            "{tasks: {mine: {label: M, family: own, table: data/none.csv}}, study: {tasks: all}}",
            ["tasks: mine: table: data/none.csv: no such file"],
        ),
        ("tasks: {mine: {label: M, family: own, inverse_of: antonym}}", ["mine: inverse_of", "Did you mean antonyms?"]),
        ("tasks: {mine: {label: M, family: own, inverse_of: copy}}", ["copy is itself made of another task"]),
        (
            "tasks: {mine: {label: M, family: knowledge, table: x.csv}}",
            ["tasks: mine: a family is a label alone, knowledge, too. Add `scoring: prefix`", "`scoring: exact`"],
        ),
        (
            "tasks: {mine: {label: M, family: limits, table: x.csv}}",
            ["tasks: mine: a family is a label alone, limits, too. Add `role: limit`", "`role: main`"],
        ),
        ("tasks: {mine: {label: M, family: conflict, table: x.csv}}", ["tasks: family: conflict: the name means"]),
        ("tasks: {mine: {label: M, family: all, table: x.csv}}", ["tasks: family: all: the name means"]),
        ("tasks: {mine: {label: M, family: a b, table: x.csv}}", ["'a b' does not match"]),
        ("task_folders: [{folder: /nowhere}]", ["task_folders: /nowhere is no folder"]),
        ("study: {seeds: [1]}\nstudy: {seeds: [2]}", ["mine.yaml, line 2", "the key study", "line 1"]),
        ("models: {007: {label: A, folder: x}}", ["mine.yaml, line 1", "007 is no string", "'007'"]),
        ("study: {seeds: [20261125133000]}", ["20261125133000", "maximum of 4294967295"]),
        ("embedding: {umap: {min_dist: 1.5}}", ["1.5", "maximum of 1"]),
        ("embedding: {tsne: {perplexity: .nan}}", ["embedding: tsne: perplexity", "no number to compute with"]),
        ("episodes: {dev: 1000000000000}", ["maximum of 100000"]),
        ("conflict: {pairs: [[to_upper, to_upper]]}", ["to_upper", "non-unique"]),
        ("conflict: {pairs: [[next_letter, to_upper], [next_letter, to_upper]]}", ["non-unique"]),
        ("study: {tasks: [own]}", ["study: tasks", "no task is of this family"]),
        ("{models: {all: {label: A, folder: x}}}", ["models: all: the name means"]),
        (
            "{models: {a: {label: SmolLM2 135M, source: random, hub: a/b, revision: c, "
            "shape: {model_type: llama, vocab_size: 9, hidden_size: 8, num_hidden_layers: 1, num_attention_heads: 1, "
            "max_position_embeddings: 9}}, b: {label: SmolLM2 135M, hub: a/b, revision: c}}, study: {models: [b, smollm2-135m]}}",
            ["models: b and smollm2-135m are both labelled"],
        ),
        ("rivals: {representations: [thetta]}", ["rivals: representations", "Did you mean theta?"]),
        ("rivals: {representations: [reading]}", ["rivals: representations", "reading"]),
        ("rivals: {representations: []}", ["rivals: representations", "non-empty"]),
        ("gradient: {shares: [0]}", ["gradient: shares", "0 is less than or equal to the minimum of 0"]),
        ("gradient: {steps: []}", ["gradient: steps", "non-empty"]),
        ("gradient: {test: 1}", ["gradient: test", "1 is less than the minimum of 2"]),
        ("rivals: {strengths: [0]}", ["rivals: strengths", "0 is less than or equal to the minimum of 0"]),
        ("rivals: {learning: {rate: 0}}", ["rivals: learning: rate", "0 is less than or equal to the minimum of 0"]),
        (f"task_folders: [{{folder: {ROOT}/data/tasks}}]", ["a task animal_tool is known already", "Rename the table"]),
    ],
    ids=[
        "key typo",
        "wrong type",
        "model",
        "task",
        "group",
        "no seed",
        "nothing",
        "no list",
        "octal",
        "seed twice",
        "pair",
        "hub without revision",
        "empty folder",
        "no table",
        "inverse",
        "made of made",
        "scoring of knowledge",
        "role of limits",
        "reserved family",
        "family all",
        "family of two words",
        "no tables",
        "key twice",
        "number as a name",
        "seed beyond 32 bits",
        "distance beyond the spread",
        "not a number",
        "too many episodes",
        "a pair of one",
        "a pair twice",
        "no tables of one's own",
        "reserved name",
        "one label for two",
        "representation",
        "representation without what one has",
        "no representation",
        "step of no length",
        "no steps",
        "one episode of descent",
        "strength of zero",
        "rate of zero",
        "known table",
    ],  # fmt: skip,
)
def test_a_bad_configuration_is_refused_with_key_and_remedy(elsewhere, yaml, parts):
    message = refused(yaml, elsewhere)
    for part in parts:
        assert part in message


@pytest.mark.parametrize("table", ["knowledge", "all", "paper", "two words", "été"])
def test_a_table_whose_name_means_something_else_is_refused(elsewhere, table):
    folder = elsewhere / "my tables"
    folder.mkdir()
    (folder / f"{table}.csv").write_text("input,output,also_accepted\nsky,blue,\n", encoding="utf-8")
    message = refused("task_folders: [{folder: my tables}]", elsewhere)
    assert "tasks: " in message and ("the name means" in message or "a name has letters" in message)


@pytest.mark.parametrize(
    ("parameters", "dtype", "gpus"), [(135e6, "float32", 1), (32.5e9, "float16", 2), (70e9, "float32", 5)]
)
def test_gpus_hold_the_weights_and_a_pass(parameters, dtype, gpus):
    entry = {"parameters": int(parameters), "dtype": dtype, "device": "auto"}
    assert sizing.gpus(entry, 80) == gpus and sizing.gpus({**entry, "device": "cpu"}, 80) == 0
    assert sizing.memory_mb({**entry, "device": "cuda"}) > sizing.weight_bytes(entry) / 1e6


def test_a_folder_says_how_many_parameters_it_holds(elsewhere):
    """In as many files as there are; what an entry says comes first."""
    (elsewhere / "mine").mkdir()
    parts = [{"a": np.zeros((3, 5), np.float16), "b": np.ones(4, np.float32)}, {"c": np.zeros((2, 1))}]
    for number, part in enumerate(parts):
        save_file(part, elsewhere / f"mine/model-{number}.safetensors", metadata={"format": "pt"})
    overlay = {"study": {"models": ["mine"]}, "models": {"mine": {"label": "Mine", "folder": "mine"}}}
    assert sizing.parameters(study_of(overlay).models["mine"]) == 15 + 4 + 2
    (elsewhere / "mine/model-2.safetensors").write_bytes(b"no model")
    assert sizing.parameters(study_of(overlay).models["mine"]) == sizing.UNKNOWN  # a part of a model is not its size
    overlay["models"]["mine"]["parameters"] = 7
    assert sizing.parameters(study_of(overlay).models["mine"]) == 7


SHAPES = ("[1.5]", "[-5]", "[NaN]", "[Infinity]", "[1e3]", "[0]", "[99999999, 99999999]", '["a"]', "null", "[true]")
HEADERS = [
    len(text).to_bytes(8, "little") + text.encode() for text in (f'{{"a": {{"shape": {shape}}}}}' for shape in SHAPES)
]


@pytest.mark.parametrize(
    "content",
    [b"", b"\xff" * 9, b"\x02" + bytes(7) + b"[]", b"\x08" + bytes(7) + b'{"a": 1}', b"version https", *HEADERS],
)
def test_a_file_that_is_no_model_says_nothing_of_its_parameters(elsewhere, content):
    """As of Git LFS: that it is none, its preparation says."""
    (elsewhere / "mine").mkdir()
    (elsewhere / "mine/model.safetensors").write_bytes(content)
    overlay = {"study": {"models": ["mine"]}, "models": {"mine": {"label": "Mine", "folder": "mine"}}}
    assert sizing.parameters(study_of(overlay).models["mine"]) == sizing.UNKNOWN


def test_a_counted_number_has_the_bound_of_a_given_one():
    schema = yaml.safe_load((ROOT / "workflow/schemas/config.schema.yaml").read_text(encoding="utf-8"))
    of_a_model = schema["properties"]["models"]["additionalProperties"]["properties"]
    assert of_a_model["parameters"]["maximum"] == MOST_PARAMETERS


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_a_job_with_a_second_model_asks_for_its_memory(device):
    study = read_study()
    name, entry = next(iter(study.models.items()))
    entry |= {"device": device, "shape": {"num_hidden_layers": 24, "hidden_size": 2048}}
    more = study.memory_mb(name, "gradient") - study.memory_mb(name, "rivals")
    assert more >= sizing.weight_bytes(entry) / 1e6 and study.memory_mb(name, "rivals") == study.memory_mb(name)
    shown = study.config["episodes"]
    shown["demonstrations"] *= 10  # their keys and values are held
    of_token = 2 * 4 * 24 * 2048  # keys and values, float32; a prompt has two tokens or more
    cached = 2 * of_token * sizing.PART * 3 * 45
    assert study.memory_mb(name, "gradient") - study.memory_mb(name, "rivals") - more >= cached / 1e6


def test_a_job_takes_no_more_memory_than_slurm_gave_it(monkeypatch):
    monkeypatch.delenv("SLURM_MEM_PER_NODE", raising=False)
    everything = memory_at_hand()
    taken = psutil.Process().memory_info().rss // 1024**2
    monkeypatch.setenv("SLURM_MEM_PER_NODE", str(taken + 1000))
    assert 0 < memory_at_hand() < min(0.8e9, everything)
    monkeypatch.setenv("SLURM_MEM_PER_NODE", "100")
    assert memory_at_hand() == 0


def test_a_study_is_what_the_configuration_says():
    study = study_of({})
    assert list(study.models) == ["smollm2-135m", "gemma-3-270m"] and study.seed == 0 and study.archives == []
    assert len(study.tasks) == 25 and len(study.main_tasks) == 18
    bijections = ["upper_lower", "english_french", "spanish_english"]
    others = ["animal_tool", "animal_tool_fixed", "choose_animal", "french_spanish"]
    assert study.limits == [*bijections, *others] and study.bijections == bijections
    assert study.drawn_anew == ["animal_tool"]
    assert study.families_of_limits == ["limits"] and study.long_answers == []
    full = study_of({"study": {"tasks": ["sequences", "to_upper"]}})
    assert full.long_answers == ["list_reversed"] and full.answer_tokens_of_family("sequences") == 8
    assert "limits" not in study.main_families
    assert study.pairs and study.transfer and set(study.conflict_tasks) == set(study.main_tasks)
    by_prefix = {task for task, prefix in study.scored_by_prefix(study.tasks).items() if prefix}
    assert by_prefix == set(study.of_family("knowledge")) - {"location_continent"}  # a bare A would be Africa and Asia
    assert study.task_tables(["english_french"]) == [
        str(ROOT / f"data/tasks/{name}.csv") for name in ("en_fr", "fr_en")
    ]
    assert study.questions.absent == {} and set(study.questions.evidence) <= set(study.questions.tables)


def test_the_workflow_s_own_files_are_found_from_anywhere(elsewhere, monkeypatch):
    assert study_of({}).path_of("data/paper/main_results.csv") == str(ROOT / "data/paper/main_results.csv")
    monkeypatch.chdir(ROOT)
    study = study_of({})
    assert study.path_of("data/paper/main_results.csv") == "data/paper/main_results.csv"
    assert study.task_tables(["antonyms"]) == ["data/tasks/antonyms.csv"]


def test_what_a_task_is_is_said_by_the_task_and_families_are_free(elsewhere):
    (elsewhere / "colours.csv").write_text("input,output,also_accepted\nsky,blue,\n", encoding="utf-8")
    its = {"label": "Colours", "family": "colours", "table": "colours.csv", "role": "limit", "scoring": "prefix"}
    study = study_of({"tasks": {"thing_colour": its}, "study": {"tasks": ["colours", "to_upper"]}})
    assert list(study.tasks) == ["thing_colour", "to_upper"] and study.families == ["colours", "algorithmic"]
    assert study.limits == ["thing_colour"] and study.main_tasks == ["to_upper"] and study.bijections == []
    assert study.scored_by_prefix(study.tasks) == {"thing_colour": True, "to_upper": False}


def test_the_settings_of_a_user_are_left_as_they_are():
    asked = {"study": {"models": ["gpt-j-6b"]}, "models": {"gpt-j-6b": {"source": "random"}}}
    study = study_of(asked)
    assert list(study.models) == ["gpt-j-6b-random"] and study.random("gpt-j-6b-random")
    assert asked == {"study": {"models": ["gpt-j-6b"]}, "models": {"gpt-j-6b": {"source": "random"}}}


def test_overlays_lie_over_each_other_in_order(elsewhere):
    for name, seeds in (("a.yaml", [1]), ("b.yaml", [2])):
        (elsewhere / name).write_text(yaml.safe_dump({"study": {"seeds": seeds}}), encoding="utf-8")
    assert read_study(["a.yaml", "b.yaml"]).seed == 2 and read_study(["b.yaml", "a.yaml"]).seed == 1


def test_every_configuration_of_ours_is_a_study(monkeypatch):
    monkeypatch.chdir(ROOT)
    for name in ("smoke", "full", "paper", "archive", "config"):
        study = read_study([f"config/{name}.yaml"])
        assert study.models and study.tasks and study.questions.figures, name


def test_each_rule_that_loads_a_model_asks_for_time():
    study = study_of({})
    assert all(
        study.minutes("smollm2-135m", rule, 1) >= study.minutes("smollm2-135m", rule, 5) >= 20 for rule in study.tokens
    )


def archive_without(folder, *tables):
    """The shipped archive, less some tables, as an older version of the study would have written it."""
    contents = read_archive(ROOT / "data/archive/default.zip")
    files = {}
    for name, data in contents.items():
        if name not in (CHECKSUMS, CRATE) and not any(name.endswith(f"/{table}.csv") for table in tables):
            files[name] = folder / "files" / name
            files[name].parent.mkdir(parents=True, exist_ok=True)
            files[name].write_bytes(data)
    write_archive(folder / "old.zip", files)


def test_what_an_older_archive_lacks_is_left_out_with_a_word(elsewhere):
    archive_without(elsewhere, "views", "formation")
    study = study_of({"archive": "old.zip"})
    absent = {
        name: lacking for name, lacking in study.questions.absent.items() if lacking in (["views"], ["formation"])
    }
    assert absent == {"views": ["views"], "layer_choice": ["views"], "formation": ["formation"]}
    assert not {"layer_choice", "formation"} & set(study.questions.figures) and not {"views", "formation"} & set(
        study.questions.report_tables
    )
    assert (
        "accuracy_bars" in study.questions.figures
        and "views" not in study.questions.latex_sources
        and "views" not in study.questions.tables
    )
    questions = study.questions
    figures = Path("reports/figures")
    shown = (questions.figures, figures, questions.report_tables, questions.absent, study.config)
    page = Page({}, *shown, {}, "", {}, {}, {})
    assert (
        page.figure("formation")
        == '<p class="missing" id="formation">Left out: the archive lacks <code>formation.csv</code>.</p>'
    )
    assert "the archive lacks <code>views.csv</code>" in page.table("views")
    assert page.figure("no such figure") == ""


def test_an_archive_of_before_an_experiment_can_be_planned(elsewhere):
    """`make plan` asks for the tokens of every rule."""
    archive_without(elsewhere)
    settings = json.loads((elsewhere / "files/provenance.json").read_text(encoding="utf-8"))
    for experiment in ("rivals", "gradient"):
        del settings["config"][experiment]
    (elsewhere / "files/provenance.json").write_text(json.dumps(settings), encoding="utf-8")
    files = {
        str(file.relative_to(elsewhere / "files")): file for file in (elsewhere / "files").rglob("*") if file.is_file()
    }
    write_archive(elsewhere / "old.zip", files)
    study = study_of({"archive": "old.zip"})
    assert study.tokens == {} and study.settings_of("gradient") == {} and study.representations == {}


def test_an_archive_without_what_claims_rest_on_is_refused(elsewhere):
    archive_without(elsewhere, "controls")
    with pytest.raises(StudyError, match=r"archive: old.zip lacks controls, which claims rest on. Make it anew"):
        assert study_of({"archive": "old.zip"}).questions.tables


def test_an_archive_whose_tables_have_other_columns_is_refused(elsewhere):
    """Of a version that named its intervals otherwise."""
    archive_without(elsewhere)
    table = elsewhere / "files/tables/smollm2-135m/views.csv"
    table.write_text(table.read_text(encoding="utf-8").replace("accuracy_low", "ci_low"), encoding="utf-8")
    files = {str(file.relative_to(elsewhere / "files")): file for file in (elsewhere / "files").rglob("*.*")}
    write_archive(elsewhere / "old.zip", files)
    with pytest.raises(StudyError, match=r"old.zip: views.csv has not the columns of this version of the study"):
        assert study_of({"archive": "old.zip"}).questions.tables


def test_a_table_of_a_folder_is_a_main_task_of_its_family(elsewhere):
    (elsewhere / "tables").mkdir()
    (elsewhere / "tables/thing_colour.csv").write_text("input,output\nsky,blue\ngrass,green\n", encoding="utf-8")
    (elsewhere / "mine.yaml").write_text("task_folders: [{folder: tables}]\n", encoding="utf-8")
    study = read_study(["mine.yaml"])
    assert study.kinds["thing_colour"] == {"family": "own", "role": "main"}


def test_half_widths_fall_with_the_square_root_of_episodes():
    """Of several models the widest counts; a claim without an interval, or without a size, says nothing."""
    row = {"question": "rivals", "statement": "S.", "threshold": "-0.1"}
    rows = [
        row | {"claim": "function_vector", "value_low": "-0.10", "value_high": "0.10"},
        row | {"claim": "function_vector", "value_low": "-0.20", "value_high": "0.20"},
        row | {"claim": "top_heads", "value_low": "0.2", "value_high": "0.6"},
        row | {"claim": "scored", "value_low": "", "value_high": ""},
        row | {"claim": "overrides", "question": "conflict", "value_low": "0.2", "value_high": "0.6"},
    ]
    sizes = {("rivals", ""): "rivals.test", ("rivals", "top"): "rivals.ablated.episodes"}
    known, planned = ({"rivals": {"test": test, "ablated": {"episodes": 5}}} for test in (6, 24))
    widths = half_widths(rows, sizes, known, planned)
    assert widths == {
        "function_vector": ("S.", -0.1, pytest.approx(0.2), pytest.approx(0.1)),
        "top_heads": ("S.", -0.1, pytest.approx(0.2), pytest.approx(0.2)),
    }


def test_hours_follow_from_what_jobs_took_elsewhere():
    """By tokens where a rule loads the model, by jobs elsewhere; what is not listed takes little. Of a model that was
    not there, or that a rule loads which was not, nothing can be said. A part of a rule's jobs takes its share."""
    took = [("m", "sweep", 2, 3600), ("m", "download", 1, 1800), ("m", "embed", 3, 1080), ("n", "sweep", 2, 7200)]
    rows = [dict(zip(("model", "rule", "jobs", "seconds"), map(str, row), strict=True)) for row in took]
    sweeps = [Planned("sweep", "m", 0.5), Planned("sweep", "m", 0.5)]
    jobs = [*sweeps, Planned("embed", "m"), Planned("tables", "m"), Planned("page", None)]
    hours = scaled_hours(rows, {"sweep": 10.0}, {"sweep": 25.0}, jobs)
    assert hours == {"m": pytest.approx(2.5 + 0.1)}
    hours = scaled_hours(
        rows, {"sweep": 10.0}, {"sweep": 10.0}, [*jobs, Planned("sweep", "n"), Planned("sweep", "other")]
    )
    assert hours == {"m": pytest.approx(1.1), "n": pytest.approx(2.0)}
    assert scaled_hours(rows, {"sweep": 10.0}, {"sweep": 10.0}, jobs[1:]) == {"m": pytest.approx(0.6)}
    assert tokens_of(jobs, {"sweep": 10.0, "other": 3.0}) == 10 and tokens_of(jobs[1:], {"sweep": 10.0}) == 5
    assert scaled_hours(rows, {"sweep": 10.0}, {"sweep": 10.0, "descend": 1.0}, [Planned("descend", "m"), *jobs]) == {}
    assert scaled_hours(rows, {}, {"sweep": 10.0}, jobs) == {}


def test_every_claim_with_an_interval_has_a_size():
    """`make plan` can say what it can tell."""
    study = read_study()
    config = study.config
    for question in study.questions:
        for size in question.judged_on.values():
            assert half_widths(
                [{"question": "q", "claim": "c", "statement": "", "threshold": "0", "value_low": "0", "value_high": "1"}],
                {("q", "c"): size}, config, config,
            )["c"][3] == 0.5  # fmt: skip
