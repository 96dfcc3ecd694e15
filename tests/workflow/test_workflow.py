"""The workflow on real weights: a fresh copy, a second run, edits, damage, kills."""

import hashlib
import html
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from urllib.parse import unquote

import pandas as pd
import pytest
import yaml
from transformers import AutoTokenizer

from taskvectors.data.tokens import decode
from taskvectors.observations.claims import VERDICTS
from taskvectors.store.archived import CHECKSUMS, read_archive
from taskvectors.store.crate import CRATE, write_archive
from taskvectors.store.tables import read_csv, write_csv
from taskvectors.study import read_study

ROOT = Path(__file__).parents[2]
MODEL = "results/smollm2-135m"
CATALOGUE = read_study([ROOT / "config/smoke.yaml"]).questions
FIGURES = set(CATALOGUE.figures)  # the smoke study leaves out none
DRAWN = {f"figure_{name}" for name in FIGURES}
GEOMETRY = {f"figure_{name}" for name in ("embedding", "embedding_seeds", "distances", "separation")}
REPORT = {"study_notebook", "study_page", "study"}
AFTER_A_TABLE = {"conclusions", "provenance", "latex_tables", *REPORT}
LOADING = set(read_study([ROOT / "config/smoke.yaml"]).tokens)  # rules that load the model


def test_the_environment_may_lie_in_a_folder_with_spaces(changed, tmp_path):
    spaced = tmp_path / "with spaces"
    spaced.symlink_to(Path(sys.executable).parents[1])
    command = [str(spaced / "bin/python"), "-m", "snakemake", "--cores", "2", "--configfile", "config/smoke.yaml"]
    result = subprocess.run(
        [*command, "--forcerun", "filter_table", "--until", "filter_table"],
        cwd=changed.folder, env=changed.environment(), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr[-3000:]
    assert "Finished jobid" in result.stderr


def test_the_study_leaves_report_figures_and_tables(finished):
    page = (finished.folder / "reports/study.html").read_text(encoding="utf-8")
    for part in ("Does in-context learning create task vectors?", "SmolLM2 135M", "LLaMA 13B", "next letter", "Wilson"):
        assert part.lower() in page.lower()
    assert not re.findall(r"<(?:script|link|img)[^>]*(?:src|href)=[\"']?https?:", page)
    for name in FIGURES:
        for suffix in ("svg", "pdf", "png", "csv"):
            assert (finished.folder / f"reports/figures/{name}.{suffix}").stat().st_size > 500
    accuracy = pd.read_csv(finished.folder / MODEL / "accuracy.csv")
    assert (
        (accuracy["accuracy_low"] <= accuracy["accuracy"]) & (accuracy["accuracy"] <= accuracy["accuracy_high"])
    ).all()
    sweep = pd.read_csv(finished.folder / MODEL / "layer_sweep.csv")
    assert set(sweep["layer"]) == set(range(30)) and set(sweep["split"]) == {"dev", "test"}


def test_tables_have_the_columns_that_are_said_of_them(finished):
    for name, entry in CATALOGUE.all_tables.items():
        file = finished.folder / (f"results/{name}.csv" if entry["study"] else f"{MODEL}/{name}.csv")
        assert list(pd.read_csv(file, nrows=1)) == entry["columns"], name


def test_everything_on_the_page_links_to_its_files(finished):
    page = (finished.folder / "reports/study.html").read_text(encoding="utf-8")
    captions = dict(
        re.findall(r'<figure[^>]* id="([^"]+)">(?:(?!</figure>).)*?<figcaption>(.*?)</figcaption>', page, re.DOTALL)
    )
    for name in FIGURES:
        assert links_of(captions[name]) == [f"figures/{name}.csv"], name
    for name, entry in CATALOGUE.report_tables.items():
        caption = captions[f"by-layer-{name}" if entry["view"] else f"table-{name}"]
        assert [Path(link).stem for link in links_of(caption)] == entry["tables"], name
        assert all(f"<code>data/paper/{table}.csv</code>" in caption for table in entry["published"]), name
        assert " ".join(entry["caption"].split()) in html.unescape(caption), name
    linked = [link for caption in captions.values() for link in links_of(caption)]
    gone = [link for link in linked if not (finished.folder / "reports" / link).is_file()]
    assert len(linked) > 50 and not gone


def links_of(caption: str) -> list[str]:
    """Files that a caption links to, as the page addresses them."""
    return [unquote(link) for link in re.findall(r'<a href="([^"#]+)"', caption)]


def test_demonstrations_and_theta_help_on_real_weights(finished):
    accuracy = pd.read_csv(finished.folder / MODEL / "accuracy.csv")
    means = accuracy[accuracy["task"] == "all"].set_index("method")["accuracy"]
    assert means["regular"] > means["baseline"] + 0.2
    assert means["hypothesis"] > means["baseline"] + 0.2


def test_further_seeds_repeat_the_main_experiment(finished):
    seeds = (
        pd.read_csv(finished.folder / MODEL / "seeds.csv").query("method == 'hypothesis'").set_index(["task", "seed"])
    )
    assert seeds.loc[("next_letter", 0), "n"] == 6 and seeds.loc[("next_letter", 1), "n"] == 4
    predictions = pd.read_parquet(finished.folder / MODEL / "predictions.parquet")
    answers = predictions.query("task == 'country_capital' and method == 'regular' and split == 'test' and episode < 4")
    drawn = answers.groupby("seed")["answer"].agg(list)
    assert drawn[0] != drawn[1]
    sweep = pd.read_csv(finished.folder / MODEL / "layer_sweep.csv")
    assert set(sweep.query("split == 'test'")["n"]) == {6}  # the first seed alone


def test_transfer_covers_every_pair_that_fits(finished):
    transfer = pd.read_csv(finished.folder / MODEL / "transfer.csv")
    pairs = set(zip(transfer["theta_task"], transfer["query_task"], strict=True))
    letters, verbs = ("next_letter", "to_upper"), ("present_simple_gerund", "present_simple_past_simple")
    assert pairs == {letters, letters[::-1], verbs, verbs[::-1]}
    assert set(transfer["demonstrations"]) == {"kept", "none"}
    assert set(transfer["layer"].dropna()) == set(range(30))
    shares = transfer[["as_theta", "as_query", "as_neither"]].sum(axis=1)
    assert (shares - 1).abs().max() < 1e-5


def test_verdicts_stand_on_rows_of_the_tables(finished):
    conclusions = pd.read_csv(finished.folder / "results/conclusions.csv").set_index("claim")
    differences = pd.read_csv(finished.folder / MODEL / "differences.csv").query("task == 'all'").set_index("reference")
    assert conclusions.loc["vector_does_task", "value"] == differences.loc["zero_shot", "difference"]
    assert -conclusions.loc["one_layer", "value"] == differences.loc["hypothesis_common", "difference"]
    assert set(conclusions["verdict"]) <= set(VERDICTS)


def test_few_pairs_are_reported(finished):
    filtered = pd.read_csv(finished.folder / MODEL / "filter.csv").set_index("task")
    assert filtered.loc["next_letter", "kept"] == 25
    assert (filtered["kept"] <= filtered["total"]).all()
    assert "few pairs" in (finished.folder / "reports/study.html").read_text(encoding="utf-8")


def test_tables_survive_every_token_of_the_vocabulary(finished, tmp_path):
    """Also a lone carriage return, which Python before 3.11.9 writes without quotes."""
    tokenizer = AutoTokenizer.from_pretrained(finished.folder / MODEL / "weights")
    words = decode(tokenizer, range(len(tokenizer)))
    write_csv(tmp_path / "t.csv", pd.DataFrame({"token": words, "logit": 0.5}))
    again = read_csv(tmp_path / "t.csv")
    assert again["token"].fillna("").tolist() == words and any("\r" in word for word in words)


def test_logs_show_done_of_total_and_a_rate(finished):
    log = (finished.folder / MODEL / "logs/sweep_layers.linguistic.log").read_text(encoding="utf-8")
    assert re.search(r"sweep_layers: (\d+) of \1 episodes, [\d.]+ episodes/s", log)


def test_a_second_run_has_nothing_to_do(changed):
    assert "Nothing to be done" in changed.snakemake().stdout


def test_snakemakes_own_report_has_captions(changed):
    result = changed.snakemake("--report", "reports/workflow.zip")
    assert result.returncode == 0, result.stdout
    with zipfile.ZipFile(changed.folder / "reports/workflow.zip") as archive:
        text = "".join(archive.read(name).decode(errors="ignore") for name in archive.namelist())
    assert "Accuracy of every task by method" in text and "Conflicting tasks" in text and "Study seeds 0, 1" in text
    assert "Paired differences" in text or ("paired difference with its" in text and "``controls.csv``" not in text)


def test_a_source_table_holds_all_that_its_figure_is_drawn_from(finished):
    for name, entry in CATALOGUE.figures.items():
        source = pd.read_csv(finished.folder / f"reports/figures/{name}.csv", keep_default_na=False, dtype=str)
        files = {table: finished.folder / f"results/smollm2-135m/{table}.csv" for table in entry["tables"]}
        files |= {table: finished.folder / f"data/paper/{table}.csv" for table in entry["published"]}
        assert set(source["table"]) == set(files), name
        for table, file in files.items():
            whole = pd.read_csv(file, keep_default_na=False, dtype=str)
            assert len(source[source["table"] == table]) == len(whole), (name, table)


def archived(finished) -> Path:
    """The finished study's archive."""
    return finished.folder / "reports/archive.zip"


def test_provenance_names_what_the_jobs_themselves_imported(finished):
    with zipfile.ZipFile(archived(finished)) as archive:
        provenance = json.loads(archive.read("provenance.json"))
    assert {"torch", "transformers", "scikit-learn", "umap-learn", "seaborn"} <= set(provenance["software"])
    assert provenance["differing"] == {} and len(provenance["environments"]) == 1
    (runs,) = provenance["runs"].values()
    assert runs["kernels"] in (["torch"], ["oneDNN"]) and len(runs["weights"]) == 1


def test_every_rule_that_loads_the_model_leaves_a_stamp_and_a_wrong_one_is_refused(changed):
    """Whatever the rule writes: words and ranks lie in CSV files, which carry none."""
    study = read_study([changed.folder / "config/smoke.yaml"], changed.folder)
    for rule in study.tokens:
        records = list((changed.folder / MODEL / "logs").glob(f"{rule}.*software.json"))
        assert records, rule
        assert all(
            {"weights", "kernels", "code"} <= set(json.loads(file.read_text())["made_by"]) for file in records
        ), rule
    for rule in ("decode_theta", "gradient", "rivals", "measure_heads"):
        record = changed.folder / MODEL / f"logs/{rule}.software.json"
        kept = record.read_text()
        said = json.loads(kept)
        said["made_by"]["weights"] = "0" * 64
        record.write_text(json.dumps(said))
        result = changed.snakemake("--forcerun", "provenance", "--until", "provenance")
        assert result.returncode != 0, rule
        assert f"{rule}.software.json" in result.stdout and "different weights" in result.stdout, result.stdout[-2000:]
        record.write_text(kept)


def test_figures_and_report_are_rebuilt_from_an_archive_without_torch_weights_and_network(finished, project):
    shutil.copy(archived(finished), project.folder / "mine.zip")
    (project.folder / "mine.yaml").write_text("archive: mine.zip", encoding="utf-8")
    absent = project.folder / "absent"
    for name in ("torch", "transformers"):
        (absent / name).mkdir(parents=True)
        (absent / name / "__init__.py").write_text("raise ImportError('not here')", encoding="utf-8")
    nowhere = {"HTTPS_PROXY": "http://127.0.0.1:9", "HTTP_PROXY": "http://127.0.0.1:9", "PYTHONPATH": str(absent)}
    result = project.snakemake(config="mine.yaml", cold=True, **nowhere)
    assert result.returncode == 0, result.stdout[-3000:]
    for name in FIGURES:
        for suffix in ("svg", "pdf", "png", "csv"):
            file = f"reports/figures/{name}.{suffix}"
            assert (project.folder / file).read_bytes() == (finished.folder / file).read_bytes(), file
    page = (project.folder / "reports/study.html").read_text(encoding="utf-8")
    assert "../results/archive/mine/" in page  # links lead to where the tables lie
    assert page.replace("results/archive/mine/", "results/") == (
        (finished.folder / "reports/study.html").read_text(encoding="utf-8")
    )
    assert not (project.folder / MODEL).exists()


def test_several_archives_are_one_page_that_says_what_differs(finished, project):
    shutil.copy(archived(finished), project.folder / "small.zip")
    (project.folder / "mine.yaml").write_text("archive: [data/archive/default.zip, small.zip]", encoding="utf-8")
    result = project.snakemake(config="mine.yaml")
    assert result.returncode == 0, result.stdout[-3000:]
    page = (project.folder / "reports/study.html").read_text(encoding="utf-8")
    for label in ("SmolLM2 135M (default)", "Gemma 3 270M", "SmolLM2 135M (small)"):
        assert label in page
    assert (
        'href="#settings-that-differ"' in page
        and 'id="settings-that-differ"' in page
        and "<td>episodes: demonstrations</td>" in page
    )
    drawn = pd.read_csv(project.folder / "reports/figures/accuracy_bars.csv")
    assert {"smollm2-135m-default", "gemma-3-270m", "smollm2-135m-small"} <= set(drawn["model"].dropna())
    own = pd.read_csv(project.folder / "results/archive/default+small/smollm2-135m-small/accuracy.csv")
    here = pd.read_csv(finished.folder / MODEL / "accuracy.csv")
    pd.testing.assert_frame_equal(own.drop(columns="model"), here.drop(columns="model"))


def test_an_archive_of_before_an_experiment_is_drawn_without_it(finished, project):
    """Neither its tables nor its part of the configuration is there."""
    files, later = {}, ("gradient", "rivals", "heads", "ablation")
    contents = read_archive(archived(finished))
    provenance = json.loads(contents["provenance.json"])
    for experiment in ("gradient", "rivals"):
        del provenance["config"][experiment]
    for name, data in (contents | {"provenance.json": json.dumps(provenance).encode()}).items():
        if name not in (CHECKSUMS, CRATE) and Path(name).stem not in later:
            files[name] = project.folder / "old" / name
            files[name].parent.mkdir(parents=True, exist_ok=True)
            files[name].write_bytes(data)
    write_archive(project.folder / "old.zip", files)
    (project.folder / "mine.yaml").write_text("archive: old.zip", encoding="utf-8")
    result = project.snakemake(config="mine.yaml")
    assert result.returncode == 0, result.stdout[-3000:]
    page = (project.folder / "reports/study.html").read_text(encoding="utf-8")
    assert "the archive lacks <code>gradient.csv</code>" in page and "the archive lacks <code>rivals.csv</code>" in page
    assert "if reading demonstrations were" not in page and "Gradient descent</strong> moves" not in page


def test_a_damaged_archive_is_refused_before_anything_runs(finished, project):
    data = bytearray(archived(finished).read_bytes())
    data[len(data) // 2] ^= 255
    (project.folder / "mine.zip").write_bytes(data)
    (project.folder / "mine.yaml").write_text("archive: mine.zip", encoding="utf-8")
    result = project.snakemake("-n", config="mine.yaml")
    assert result.returncode != 0 and "Traceback" not in result.stdout
    assert re.search(r"archive: mine.zip: .*(damaged|whole copy)", result.stdout)


def test_a_study_is_compared_with_the_archived_one(finished, changed):
    (changed.folder / "data/archive").mkdir(exist_ok=True)
    shutil.copy(archived(finished), changed.folder / "data/archive/default.zip")
    verdicts = changed.folder / "results/check_results.csv"
    assert changed.snakemake("--", "results/check_results.csv").returncode == 0
    assert set(pd.read_csv(verdicts)["verdict"]) == {"equal"}
    table = changed.folder / MODEL / "seed_spread.csv"
    table.write_text(table.read_text(encoding="utf-8").replace("next_letter", "last_letter"), encoding="utf-8")
    result = changed.snakemake("--", "results/check_results.csv")
    assert re.search(r"seed_spread +different +the rows are not the same", result.stdout), result.stdout[-2000:]


def test_tables_for_a_paper_are_latex(finished):
    for name in ("accuracy", "controls", "conclusions", "transfer", "rivals", "gradient"):
        text = (finished.folder / f"reports/tables/{name}.tex").read_text(encoding="utf-8")
        assert r"\toprule" in text and rf"\label{{tab:{name}}}" in text
        assert not {character for character in text if ord(character) > 0x24F}, name  # beyond Latin letters


def test_an_edited_table_reruns_its_family_and_what_follows(changed):
    changed.edit("data/tasks/country_capital.csv", "France,Paris,", "France,Paris,Lutetia")
    jobs = changed.planned()
    of_one_family = ("episodes", "extract_theta", "sweep_layers", "constant_answers")
    assert [jobs.pop(rule) for rule in of_one_family] == [1, 1, 1, 1]
    # All questions are about all tasks: every other job that loads the model runs again, and what follows from it.
    assert LOADING - set(of_one_family) <= set(jobs) and {"filter_table", *DRAWN, *AFTER_A_TABLE} <= set(jobs)
    assert not {"download_weights", "weights"} & set(jobs)


def test_an_edited_parameter_reruns_what_uses_it(changed):
    changed.edit("config/config.yaml", "perplexity: 30", "perplexity: 20")
    assert set(changed.planned()) == {
        "embed_theta",
        "figure_embedding",
        "figure_embedding_seeds",
        "provenance",
        *REPORT,
    }


def test_a_folder_of_tables_adds_tasks(changed):
    """The README's worked example."""
    folder = changed.folder / "my tables"
    folder.mkdir()
    rows = [
        "sky,blue,",
        "grass,green,",
        "blood,red,",
        "snow,white,",
        "coal,black,",
        "lemon,yellow,",
        "plum,purple,",
        "mud,brown,",
    ]
    (folder / "thing_colour.csv").write_text("\n".join(["input,output,also_accepted", *rows]) + "\n", encoding="utf-8")
    mine = "{task_folders: [{folder: my tables}], study: {tasks: [thing_colour]}}"
    (changed.folder / "mine.yaml").write_text(mine, encoding="utf-8")
    table = f"{MODEL}/predictions/sweep_layers.own.parquet"
    result = changed.snakemake("mine.yaml", "--", table)
    assert result.returncode == 0, result.stdout[-3000:]
    assert set(pd.read_parquet(changed.folder / table)["task"]) == {"thing_colour"}
    (folder / "short.csv").write_text("input,output,also_accepted\nsky,blue,\n", encoding="utf-8")
    mine = mine.replace("thing_colour", "thing_colour, short")
    (changed.folder / "mine.yaml").write_text(mine, encoding="utf-8")
    result = changed.snakemake("mine.yaml", "--", table)
    assert "task short: an episode needs 1 different inputs" not in result.stdout  # the baseline needs but one
    assert "task short: an episode needs 6 different inputs, but only 1 pairs" in result.stdout
    assert "Traceback" not in result.stdout


def test_given_episodes_take_the_place_of_sampling(changed):
    """What is refused of them is tested without Snakemake (tests/unit/test_given.py)."""
    sampled = changed.folder / MODEL / "episodes/knowledge.jsonl"
    lines = sampled.read_text(encoding="utf-8").splitlines()
    mine = changed.folder / "given"
    mine.mkdir()
    (changed.folder / "mine.yaml").write_text("episodes: {source: given}", encoding="utf-8")
    given, target = mine / "country_capital.jsonl", f"{MODEL}/episodes/knowledge.jsonl"
    given.write_text("\n".join(reversed(lines)) + "\n", encoding="utf-8")
    result = changed.snakemake("mine.yaml", "--", target)
    assert result.returncode == 0, result.stdout[-3000:]
    assert sampled.read_text(encoding="utf-8") == given.read_text(encoding="utf-8")
    given.write_text("\n".join([*lines, lines[0]]) + "\n", encoding="utf-8")
    result = changed.snakemake("mine.yaml", "--", target)
    assert re.search(
        rf"country_capital.jsonl, line {len(lines) + 1}: baseline episode 0 of seed 0 is already in line 1",
        result.stdout,
    )
    assert "Traceback" not in result.stdout


def test_an_input_beyond_the_context_is_refused_with_file_and_line(changed):
    table = changed.folder / "data/tasks/country_capital.csv"
    text = table.read_text(encoding="utf-8")
    table.write_text(text + f"{'long ' * 9000},Paris,\n".replace(" ,", ","), encoding="utf-8")
    result = changed.snakemake("--", f"{MODEL}/episodes/knowledge.jsonl")
    fault = f"line {len(text.splitlines()) + 1}: the input has"
    assert re.search(rf"country_capital.csv, {fault} \d+ tokens, but the model reads 8192 at most", result.stdout)
    assert "Traceback" not in result.stdout


def test_the_papers_items_take_the_place_of_ours(changed):
    items = changed.folder / "upstream/data/knowledge/country_capital.json"
    items.parent.mkdir(parents=True)
    items.write_text(json.dumps({f"Land {n}": f"Town {n}" for n in range(9)}), encoding="utf-8")
    entry = {"path": "data/knowledge/country_capital.json", "sha256": hashlib.sha256(items.read_bytes()).hexdigest()}
    mine = {"items": {"base_url": (changed.folder / "upstream").as_uri(), "files": {"country_capital": entry}}}
    smoke = yaml.safe_load((changed.folder / "config/smoke.yaml").read_text(encoding="utf-8"))
    mine |= {part: smoke[part] for part in ("study", "episodes", "conflict")}  # not the paper's models and sizes
    (changed.folder / "mine.yaml").write_text(json.dumps(mine), encoding="utf-8")
    table = "results/items/country_capital.csv"
    result = changed.snakemake("config/paper.yaml", "mine.yaml", "--", table)
    assert result.returncode == 0, result.stdout[-3000:]
    assert "Land 3,Town 3," in (changed.folder / table).read_text(encoding="utf-8")
    plan = changed.snakemake("config/paper.yaml", "mine.yaml", "-n")
    jobs = dict(re.findall(r"^(paper_items|episodes) +(\d+)$", plan.stdout, re.MULTILINE))
    assert jobs == {"paper_items": "2", "episodes": "2"}, plan.stdout[-3000:]  # knowledge and linguistic tasks


def test_longer_answers_are_scored_on_the_whole_answer(changed):
    changed.edit("config/config.yaml", "answer_tokens: 1", "answer_tokens: 4")
    tables = [f"{MODEL}/predictions/{rule}.knowledge.parquet" for rule in ("extract_theta", "sweep_layers")]
    result = changed.snakemake("--", *tables, f"{MODEL}/filter.csv")
    assert result.returncode == 0, result.stdout[-3000:]
    filtered = pd.read_csv(changed.folder / MODEL / "filter.csv").set_index("task").loc["country_capital"]
    assert filtered["kept"] > 0.9 * filtered["total"]  # single tokens are less than half
    regular, hypothesis = (pd.read_parquet(changed.folder / table) for table in tables)
    regular = regular[regular["method"] == "regular"]
    whole = regular[regular["answer"].str.len() > 7]
    assert len(whole) and (regular["predicted"].str.strip() == regular["answer"].str.strip()).any()
    assert not regular["predicted"].str.contains("\n").any()
    assert set(hypothesis.query("method == 'hypothesis'")["layer"]) == set(range(30))


@pytest.mark.parametrize(
    ("file", "rules"),
    [
        ("questions/conflict/tables.py", {"conflict_tables", "figure_conflict", "figure_transfer", *AFTER_A_TABLE}),
        ("drawing/style.py", {*DRAWN, "provenance", *REPORT}),
        ("drawing/study.mplstyle", {*DRAWN, "provenance", *REPORT}),
        ("questions/geometry/figures/distances.py", {"figure_distances", "provenance", *REPORT}),
        ("questions/geometry/tables.py", {"geometry", "embed_theta", *GEOMETRY, *AFTER_A_TABLE}),
        ("questions/layers/claims.py", AFTER_A_TABLE),
        ("questions/decoding/page.py", set(REPORT)),
    ],
)
def test_an_edited_function_reruns_exactly_what_uses_it_and_the_reason_names_the_file(changed, file, rules):
    path = changed.folder / "workflow/scripts/taskvectors" / file
    edit = "\n\ndef edited():\n    pass\n" if path.suffix == ".py" else "\nfont.size: 11\n"
    path.write_text(path.read_text(encoding="utf-8") + edit, encoding="utf-8")
    planned = changed.snakemake("-n")
    assert changed.jobs_in(planned.stdout).keys() == rules
    assert re.search(rf"Params have changed.*taskvectors/{file}", planned.stdout)


def test_an_edited_comment_and_a_touched_file_rerun_nothing(changed):
    for path in (changed.folder / "workflow/scripts").rglob("*.py"):
        path.write_text(f"{path.read_text(encoding='utf-8')}\n# edited\n", encoding="utf-8")
    assert changed.planned() == {}


def test_an_edited_page_is_rendered_anew_and_nothing_else(changed):
    changed.edit("workflow/scripts/taskvectors/questions/decoding/page.md", "**Decoding.**", "**Unembedding.**")
    result = changed.snakemake()
    assert result.returncode == 0 and changed.jobs_in(result.stdout).keys() == REPORT, result.stdout[-3000:]
    assert "<strong>Unembedding.</strong>" in (changed.folder / "reports/study.html").read_text(encoding="utf-8")


def test_a_page_that_names_no_number_stops_with_file_and_line(changed):
    changed.edit("workflow/scripts/taskvectors/questions/geometry/page.md", "{{ folds }}", "{{ fodls }}")
    result = changed.snakemake()
    assert result.returncode != 0 and "Traceback" not in result.stdout
    assert re.search(r"geometry/page\.md, lines from \d+: 'fodls' is undefined", result.stdout), result.stdout[-2000:]


def test_a_representation_may_lie_in_a_folder_of_the_users(changed):
    own = changed.folder / "my rivals/half_theta.py"
    own.parent.mkdir()
    text = (ROOT / "workflow/scripts/taskvectors/questions/rivals/representations/theta.py").read_text(encoding="utf-8")
    own.write_text(
        text.replace('"θ"', '"half of θ"').replace("theta = context", "theta = 0.5 * context"), encoding="utf-8"
    )
    changed.edit("config/config.yaml", "    - theta\n", "    - theta\n    - my rivals/half_theta.py\n")
    result = changed.snakemake()
    assert result.returncode == 0, result.stdout[-3000:]
    rivals = pd.read_csv(changed.folder / MODEL / "rivals.csv").set_index("representation")
    assert set(rivals.loc["half_theta", "label"]) == {"half of θ"}
    own.write_text(own.read_text(encoding="utf-8").replace("0.5 *", "0.6 *"), encoding="utf-8")
    planned = changed.snakemake("-n")
    assert re.search(r"Params have changed.*my rivals/half_theta.py", planned.stdout) and "rivals" in changed.jobs_in(
        planned.stdout
    )
    changed.edit("config/config.yaml", "my rivals/half_theta.py", "my rivals/half_theat.py")
    refused = changed.snakemake("-n")
    assert re.search(r"config.yaml, line \d+, rivals: representations: .*half_theat.py: no such file", refused.stdout)


def test_an_edit_really_changes_the_report(changed):
    changed.edit("config/models.yaml", "label: SmolLM2 135M", "label: 'Renamed model <script>alert(1)</script>'")
    assert set(changed.planned()) == {*DRAWN, "provenance", "summary", "latex_tables", *REPORT}  # a name is no number
    result = changed.snakemake()
    assert result.returncode == 0, result.stdout[-3000:]
    page = (changed.folder / "reports/study.html").read_text(encoding="utf-8")
    assert "Renamed model &lt;script&gt;alert(1)" in page and "SmolLM2 135M" not in page
    assert "<script>alert" not in page  # shown, never executed


def test_a_duplicate_in_a_table_stops_with_file_and_line(changed):
    table = changed.folder / "data/tasks/country_capital.csv"
    text = table.read_text(encoding="utf-8")
    table.write_text(f"{text}France,Lyon,\n", encoding="utf-8")
    result = changed.snakemake()
    assert result.returncode != 0
    fault = f"line {len(text.splitlines()) + 1}: input 'France' has the answer 'Lyon', but 'Paris' in line"
    assert f"data/tasks/country_capital.csv, {fault}" in result.stdout
    assert "Traceback" not in result.stdout
    assert not (changed.folder / MODEL / "episodes/knowledge.jsonl").exists()


def test_a_truncated_weight_file_stops_with_the_remedy(changed):
    weights = changed.folder / MODEL / "weights/model.safetensors"
    data = weights.read_bytes()[:-1000]
    weights.unlink()  # it is a hard link
    weights.write_bytes(data)
    result = changed.snakemake("--forcerun", "decode_theta", "--until", "decode_theta")
    assert result.returncode != 0
    assert re.search(r"model.safetensors: \d+ bytes, expected \d+: the file is damaged. Delete", result.stdout)
    assert "Traceback" not in result.stdout
    assert not (changed.folder / MODEL / "decoded_tokens.csv").exists()


@pytest.mark.extended
def test_a_killed_run_resumes_to_the_same_tables(finished, changed):
    # Intermediate files alone would not be missed while the tables made of them stand.
    changed.forget()
    log = changed.folder / MODEL / "logs/extract_theta.linguistic.log"
    with subprocess.Popen(
        changed.command("--configfile", "config/smoke.yaml"),
        cwd=changed.folder,
        env=changed.environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as run:
        deadline = time.monotonic() + 240
        while not log.exists() and time.monotonic() < deadline:
            time.sleep(0.1)
        os.killpg(run.pid, signal.SIGKILL)
    assert log.exists()
    assert changed.snakemake("--unlock").returncode == 0
    result = changed.snakemake("--rerun-incomplete")
    assert result.returncode == 0, result.stdout[-3000:]
    for table in sorted(Path(finished.folder, MODEL).glob("*.csv")):
        assert (changed.folder / MODEL / table.name).read_bytes() == table.read_bytes(), table.name
    assert not list((changed.folder / MODEL).rglob(".*.parquet"))
