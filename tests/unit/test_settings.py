"""What a configuration must be beyond its schema, without starting Snakemake."""

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from taskvectors import settings
from taskvectors.errors import StudyError
from taskvectors.paths import expand_paths

ROOT = Path(__file__).parents[2]


def refused(tmp_path, text, data=None) -> str:
    path = tmp_path / "mine.yaml"
    path.write_bytes(text.encode() if data is None else data)
    with pytest.raises(StudyError) as error:
        settings.check_yaml(path)
    assert "\n" not in str(error.value) and "mine.yaml" in str(error.value)
    return str(error.value)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("study: {models: [a]}\nstudy: {tasks: [b]}\n", ["line 2", "the key study", "line 1"]),
        ("study:\n  seeds: [1]\n  tasks: [b]\n  seeds: [2]\n", ["line 4", "study: seeds", "line 2"]),
        ("models:\n  a: {label: A, folder: x, label: B}\n", ["line 2", "models: a: label"]),
        ("a: 1\n'a': 2\n", ["line 2", "the key a", "line 1"]),
        ('{"study": 1, "study": 2}', ["line 1", "the key study"]),
        ("tasks:\n  - {family: own, family: limits}\n", ["line 2", "tasks: family"]),
        ("é: 1\ne\u0301: 2\n", ["line 2", "line 1"]),
        ("models: {007: {label: A}}", ["007 is no string to YAML", "'007'"]),
        ("models:\n  null: {label: A}", ["line 2", "null is no string"]),
        ("tasks: {true: {label: A}}", ["true is no string"]),
        ("tasks: {no: {label: A}}", ["no is no string", "'no'"]),
        ("tasks: {1.5: {label: A}}", ["1.5 is no string"]),
        ("tasks: {2024-01-01: {label: A}}", ["2024-01-01 is no string"]),
        ("tasks: {[a, b]: 1}", ["this key is no string"]),
        ("study: {models: [a, 007]}", ["study: models", "007 is no string", "'007'"]),
        ("study:\n  tasks: [off]", ["line 2", "off is no string"]),
        ("study: {tasks: [~]}", ["~ is no string"]),
        ("conflict: {pairs: [[a, 1]]}", ["conflict: pairs", "1 is no string"]),
        ("study: {seeds: [1, 010]}", ["study: seeds", "010 is 8 to YAML", "'010'"]),
        ("episodes:\n  test: 1:30", ["line 2", "episodes: test", "1:30 is 90"]),
        ("episodes: {dev: 0x10}", ["0x10 is 16"]),
        ("episodes: {dev: 0b11}", ["0b11 is 3"]),
        ("episodes: {baseline: 1_0}", ["1_0 is 10"]),
        ("embedding: {umap: {min_dist: 1:30.5}}", ["min_dist", "1:30.5 is 90.5"]),
        ("study: {models: [a}", ["line 1", "not YAML"]),
        ("study: {\tmodels: [a]}\n\tb: 1", ["not YAML"]),
    ],
)
def test_keys_that_stand_twice_and_names_that_are_none_are_refused_with_their_lines(tmp_path, text, parts):
    message = refused(tmp_path, text)
    for part in parts:
        assert part in message


def test_a_file_in_another_encoding_is_refused(tmp_path):
    assert "not UTF-8 at byte" in refused(tmp_path, "", "label: Modèle".encode("latin-1"))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "# nothing\n",
        "a: &a {x: 1}\nb: *a\nc: {<<: *a, x: 2}\n",
        "study: {models: ['007', 'null', \"1\"]}",
        "{a: {b: 1}, c: {b: 1}}",
        '{\n\t"study": {\n\t\t"models": ["a"]\n\t}\n}',
        "a: [0, -1, +2, 10, 0.5, .5, 1., 1e-3, 1.5E+3, -0.25]",
    ],
)
def test_what_yaml_allows_is_left_alone(tmp_path, text):
    (tmp_path / "mine.yaml").write_text(text, encoding="utf-8")
    settings.check_yaml(tmp_path / "mine.yaml")


KEYS = st.text(st.characters(codec="utf-8"), min_size=1, max_size=4)
VALUES = st.recursive(
    st.integers() | st.booleans() | KEYS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
)


@given(content=st.dictionaries(KEYS, VALUES, min_size=1, max_size=4))
def test_any_file_without_a_key_twice_passes_and_with_one_is_refused(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "any.yaml"
    text = yaml.safe_dump(content, allow_unicode=True, default_flow_style=False)
    path.write_text(text, encoding="utf-8", newline="")
    folded = len({settings.normal_form(key) for key in content}) < len(content)
    nested = any("is already" in message for message in [said(path)])
    if not (folded or nested):
        assert said(path) == ""
    first = next(iter(content))
    again = yaml.safe_dump({first: 1}, allow_unicode=True)
    path.write_text(text + again, encoding="utf-8", newline="")
    assert "is already" in said(path)


def said(path) -> str:
    try:
        settings.check_yaml(path)
    except StudyError as error:
        return str(error)
    return ""


def test_every_file_of_ours_passes():
    for pattern in ("config/*.yaml", "profiles/*/*.yaml", "envs/*.yaml", "workflow/**/*.yaml"):
        for file in ROOT.glob(pattern):
            settings.check_yaml(file)


def config(tasks=(), models=(), label="Mine", **entry):
    return {
        "tasks": {name: {"family": "own", "label": label, "ours": True, **entry} for name in tasks},
        "models": {name: {"label": label, **entry} for name in models},
    }


OTHERS = {"thing_colour": {"family": "colours", "label": "Colours", "ours": True}}


@pytest.mark.parametrize("name", ["all", "paper", "own", "colours"])
def test_names_that_mean_something_else_are_refused(name):
    for registry in ("tasks", "models"):
        with pytest.raises(StudyError, match=rf"{registry}: {name}: the name means"):
            settings.check_names(
                config(**{registry: [name]})
                | ({"tasks": {**OTHERS, **config([name])["tasks"]}} if registry == "tasks" else {"tasks": OTHERS})
            )


@pytest.mark.parametrize("name", ["logs", "items", "archive", "environments", "summary.csv", "mine-random"])
def test_names_of_models_that_would_hide_something_are_refused(name):
    with pytest.raises(StudyError, match=rf"models: {name}: "):
        settings.check_names(config(models=[name]))


@pytest.mark.parametrize("name", ["two words", "a/b", "été", "", "-a", "a\n", "a>b", "test@1", "."])
def test_names_that_no_file_can_have_are_refused(name):
    with pytest.raises(StudyError, match="a name has letters"):
        settings.check_names(config(tasks=[name]))


@pytest.mark.parametrize("name", ["1", "007", "null", "true", "1e5", "a.b", "a-b", "all2", "papers", "NaN"])
def test_other_names_are_names(name):
    settings.check_names(config([name], [name]))


@pytest.mark.parametrize(
    "label", ["$x$ & <b>", "\"quoted\" 'twice'", "日本語", "Ελληνικά", "100 % _a_ {b} #1 \\n", "a|b", "*", "→"]
)
def test_labels_may_hold_anything_that_can_be_seen(label):
    settings.check_names(config(["a"], ["b"], label))


@pytest.mark.parametrize("label", ["", " ", " a", "a\n", "a\u200bb", "a\tb", "x" * 101])
def test_labels_that_cannot_be_seen_are_refused(label):
    with pytest.raises(StudyError, match=r"tasks: a: label"):
        settings.check_names(config(["a"], label=label))


def test_labels_that_figures_could_not_tell_apart_are_refused():
    with pytest.raises(StudyError, match="models: a and b are both labelled 'Mine'"):
        settings.check_labels_differ("models", ["a", "b"], config(models=["a", "b"]))
    settings.check_labels_differ("models", ["a"], config(models=["a", "b"]))


def test_answers_of_another_length_are_of_limits_and_of_a_whole_family():
    long = {"family": "f", "role": "limit", "answer_tokens": 8}
    settings.check_answer_tokens({"one": long, "two": long, "three": {"family": "g", "role": "main"}}, 1)
    settings.check_answer_tokens({"one": {"family": "f", "role": "main", "answer_tokens": 2}}, 2)
    with pytest.raises(StudyError, match=r"tasks: one: answer_tokens: .* study main tasks beside it"):
        settings.check_answer_tokens({"one": long}, 1)
    with pytest.raises(StudyError, match=r"tasks: one: answer_tokens: means over tasks are of answers of one length"):
        settings.check_answer_tokens({"one": long | {"role": "main"}}, 1)
    main = {"family": "g", "role": "main"}
    with pytest.raises(StudyError, match=r"tasks: two: answer_tokens: one, of the same family f, has another number"):
        settings.check_answer_tokens({"one": long, "two": {"family": "f", "role": "limit"}, "three": main}, 1)


def test_whole_numbers_are_whole_and_others_are_numbers():
    assert settings.with_whole_numbers({"a": [50.0, 0.5], "b": True, "c": "50.0"}) == {
        "a": [50, 0.5],
        "b": True,
        "c": "50.0",
    }
    assert isinstance(settings.with_whole_numbers({"a": 50.0})["a"], int)
    for bad in (float("nan"), float("inf")):
        with pytest.raises(StudyError, match="embedding: umap: min_dist"):
            settings.with_whole_numbers({"embedding": {"umap": {"min_dist": bad}}})


def test_tables_of_folders_whatever_their_case(tmp_path):
    (tmp_path / "a.CSV").touch()
    assert [table.name for _, table in settings.tables_of([{"folder": str(tmp_path)}])] == ["a.CSV"]
    with pytest.raises(StudyError, match=r"/nowhere is no folder"):
        list(settings.tables_of([{"folder": "/nowhere"}]))


def test_json_with_tabs_has_every_key_once(tmp_path):
    assert "the key 'a' is there twice" in refused(tmp_path, '{\n\t"a": 1,\n\t"a": 2\n}')


@pytest.mark.parametrize("labels", [["é", "e\u0301"], ["a b", "a\u00a0b"], ["\u212b", "Å"]])
def test_labels_of_classes_that_are_one_in_normal_form_are_refused(labels):
    entry = {"label": "T", "family": "own", "labels": labels}
    with pytest.raises(StudyError, match=r"tasks: t: labels: .* is there twice"):
        settings.check_names({"tasks": {"t": entry}, "models": {}})


@pytest.mark.parametrize(
    ("registry", "key"), [("models", "folder"), ("tasks", "table"), ("tasks", "lookup"), ("tasks", "classes")]
)
def test_braces_in_paths_are_refused(registry, key):
    config = {"tasks": {}, "models": {}, registry: {"t": {"label": "T", key: "my {tables}/x"}}}
    with pytest.raises(StudyError, match=rf"{registry}: t: {key}: my {{tables}}/x: braces in a path"):
        expand_paths(config, [])
    with pytest.raises(StudyError, match=r"episodes: source: a}b: braces"):
        expand_paths({"tasks": {}, "models": {}, "episodes": {"source": "a}b"}}, [])
    with pytest.raises(StudyError, match=r"archive: my\{1\}.zip: braces"):
        expand_paths({"tasks": {}, "models": {}, "archive": "my{1}.zip"}, [])


def test_a_variable_that_is_empty_and_a_name_that_is_too_long_are_refused_where_they_stand(tmp_path, monkeypatch):
    monkeypatch.setenv("EMPTY", "")
    file = tmp_path / "mine.yaml"
    for path, reason in (
        ("$EMPTY/tables", "lacks the variable"),
        ("x" * 300, "File name too long"),
        ("''", "an empty path"),
    ):
        file.write_text(f"models: {{}}\ntasks: {{}}\ntask_folders:\n- folder: {path}\n")
        with pytest.raises(StudyError, match=rf"mine.yaml, line 4, task_folders: folder: .*{reason}"):
            expand_paths(yaml.safe_load(file.read_text()), [file])


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("models: {a: {label: 2020-13-45}}", "line 1: models: a: label: 2020-13-45 is no plain string"),
        ("models: {a: {label: 2020-11-05}}", "line 1: models: a: label: 2020-11-05 is no plain string"),
        ("study: !foo {models: [a]}", "line 1: !foo means nothing here"),
        ("study: {seeds: !!python/tuple [1]}", "line 1: .* means nothing here"),
        ("study: {seeds: [" + "1" * 5000 + "]}", "is no plain string or number"),
        ("[" * 5000, "too deep"),
    ],
)
def test_what_yaml_makes_other_things_of_is_refused_by_line(tmp_path, text, part):
    file = tmp_path / "mine.yaml"
    file.write_text(text)
    with pytest.raises(StudyError, match=part):
        settings.check_yaml(file)


@pytest.mark.parametrize("text", ["- a", "abc"])
def test_settings_are_keys_and_values(tmp_path, text):
    (tmp_path / "mine.yaml").write_text(text)
    with pytest.raises(StudyError, match=r"mine.yaml: no keys and values"):
        settings.settings_of(tmp_path / "mine.yaml")
    (tmp_path / "mine.yaml").write_text("")
    assert settings.settings_of(tmp_path / "mine.yaml") == {}


def test_homes_and_variables_in_paths_are_expanded_or_refused_where_they_stand(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", "/home/ann")
    monkeypatch.setenv("DATA", "/data")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my $DATA").mkdir()
    file = tmp_path / "mine.yaml"
    file.write_text(
        "# mine\nmodels:\n  a: {folder: ~/models/tiny}\n  b:\n    folder: $DATA/b\n  c: {folder: my $DATA}\ntasks: {}\n"
        "task_folders:\n- {folder: '${DATA}/t'}\n"
    )
    config = yaml.safe_load(file.read_text())
    expand_paths(config, [file])
    assert [entry["folder"] for entry in config["models"].values()] == ["/home/ann/models/tiny", "/data/b", "my $DATA"]
    assert config["task_folders"][0]["folder"] == "/data/t"
    for path, reason in (("$NOT_SET/b", "lacks the variable"), ("~nobody_at_all/b", "no such user's home")):
        file.write_text(f"tasks: {{}}\nmodels:\n  b:\n    label: B\n    folder: {path}\n")
        with pytest.raises(StudyError, match=rf"mine.yaml, line 5, models: b: folder: .*{reason}"):
            expand_paths(yaml.safe_load(file.read_text()), ["config/models.yaml", file])


def test_what_the_schema_forbids_names_the_file_that_says_so(tmp_path):
    """Also of JSON that is indented with tabs, which YAML does not read."""
    first, second = tmp_path / "first.yaml", tmp_path / "second.json"
    first.write_text("study: {seeds: [1]}", encoding="utf-8")
    second.write_text('{\n\t"study": {\n\t\t"seeds": []\n\t}\n}', encoding="utf-8")
    schema = {"properties": {"study": {"properties": {"seeds": {"minItems": 1}}}}}
    with pytest.raises(StudyError, match=r"second.json: study: seeds: \[\] should be non-empty"):
        settings.check_schema({"study": {"seeds": []}}, schema, [first, second])
