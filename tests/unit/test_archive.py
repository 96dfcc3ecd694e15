"""The archive of a study: the same bytes, checked on reading; and a fresh study beside it."""

import json
import os
import zipfile

import hypothesis
import numpy as np
import pandas as pd
import pytest
from hypothesis import strategies as st

from taskvectors.errors import StudyError
from taskvectors.store.archived import CHECKSUMS, SETTINGS, archived_config, member, read_archive
from taskvectors.store.comparison import compare
from taskvectors.store.crate import CRATE, write_archive
from taskvectors.store.files import sha256_of

CONFIG = {"models": {"m": {"label": "Model M"}}, "study": {"models": ["m"]}}
CONFIG |= {name: {} for name in SETTINGS if name not in CONFIG}


@pytest.fixture
def files(tmp_path):
    folder = tmp_path / "study"
    folder.mkdir()
    (folder / "provenance.json").write_text(json.dumps({"date": "2026-01-02", "config": CONFIG}))
    (folder / "accuracy.csv").write_text("model,accuracy\nm,0.5\n")
    return {"provenance.json": folder / "provenance.json", "tables/m/accuracy.csv": folder / "accuracy.csv"}


def test_the_same_study_gives_the_same_bytes(tmp_path, files):
    write_archive(tmp_path / "a.zip", files)
    for file in files.values():
        os.utime(file, (1e9, 1e9))
    write_archive(tmp_path / "b.zip", dict(reversed(files.items())))
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()


def test_an_archive_is_a_crate_that_lists_every_file(tmp_path, files):
    write_archive(tmp_path / "a.zip", files)
    contents = read_archive(tmp_path / "a.zip")
    assert set(contents) == {*files, CRATE, CHECKSUMS}
    graph = {entity["@id"]: entity for entity in json.loads(contents[CRATE])["@graph"]}
    assert {part["@id"] for part in graph["./"]["hasPart"]} == set(files)
    assert graph["tables/m/accuracy.csv"]["encodingFormat"] == "text/csv"
    assert graph["./"]["datePublished"].startswith("2026-01-02") and "Model M" in graph["./"]["description"]
    assert archived_config(tmp_path / "a.zip") == CONFIG


def test_members_are_read(tmp_path, files):
    write_archive(tmp_path / "a.zip", files)
    contents = read_archive(tmp_path / "a.zip")
    assert member("a.zip", contents, "tables/m/accuracy.csv") == files["tables/m/accuracy.csv"].read_bytes()
    with pytest.raises(StudyError, match=r"a.zip: the archive lacks tables/m/none.csv"):
        member("a.zip", contents, "tables/m/none.csv")


def rewritten(path, change):
    """The archive with its members changed, and nothing else."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    change(members)
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)


def test_damaged_and_foreign_archives_are_refused(tmp_path, files):
    path = tmp_path / "a.zip"
    with pytest.raises(StudyError, match=r"a.zip: no such archive. Name an archive written by `make archive`"):
        read_archive(path)
    path.write_bytes(b"not a zip")
    with pytest.raises(StudyError, match="not a zip file, or damaged"):
        read_archive(path)
    write_archive(path, files)
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(StudyError, match="not a zip file, or damaged"):
        read_archive(path)
    write_archive(path, files)
    rewritten(path, lambda members: members.update({"tables/m/accuracy.csv": b"model,accuracy\nm,0.9\n"}))
    with pytest.raises(StudyError, match=r"tables/m/accuracy.csv was changed or damaged"):
        read_archive(path)
    write_archive(path, files)
    rewritten(path, lambda members: members.pop("tables/m/accuracy.csv"))
    with pytest.raises(StudyError, match=r"tables/m/accuracy.csv is missing from the archive"):
        read_archive(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("holiday.txt", "sea")
    with pytest.raises(StudyError, match="no archive of a study"):
        read_archive(path)


def test_a_member_without_a_checksum_is_refused(tmp_path, files):
    write_archive(tmp_path / "a.zip", files)
    rewritten(tmp_path / "a.zip", lambda members: members.update({"tables/m/more.csv": b"x"}))
    with pytest.raises(StudyError, match=r"a.zip: tables/m/more.csv has no checksum"):
        read_archive(tmp_path / "a.zip")

    def forget(members):
        lines = members[CHECKSUMS].decode().split("\n")
        members[CHECKSUMS] = "\n".join(line for line in lines if "provenance.json" not in line).encode()

    write_archive(tmp_path / "a.zip", files)
    rewritten(tmp_path / "a.zip", forget)
    with pytest.raises(StudyError, match=r"a.zip: provenance.json has no checksum"):
        archived_config(tmp_path / "a.zip")


@pytest.mark.parametrize("text", ["{}", "[]", "{", '{"config": {}}', '{"config": null}', '{"config": {"study": []}}'])
def test_a_provenance_without_settings_is_refused(tmp_path, files, text):
    files["provenance.json"].write_text(text)
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("provenance.json", text)
        archive.writestr(CHECKSUMS, f"{sha256_of(text.encode())}  provenance.json\n")
    with pytest.raises(StudyError, match=r"a.zip: provenance.json has not the settings of a study"):
        archived_config(tmp_path / "a.zip")


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2])
def test_damage_in_any_compression_is_refused(tmp_path, method):
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr(CHECKSUMS, "0123456789" * 500)
    data = bytearray(path.read_bytes())
    data[60:70] = bytes(10)
    path.write_bytes(data)
    with pytest.raises(StudyError, match="not a zip file, or damaged"):
        read_archive(path)


def accuracies(*values, tasks=("a", "b")):
    table = pd.DataFrame({"task": list(tasks), "accuracy": list(values)})
    return table.assign(accuracy_low=table["accuracy"] - 0.1, accuracy_high=table["accuracy"] + 0.1)


def test_a_fresh_table_is_equal_within_interval_or_different():
    archived = accuracies(0.5, 0.7)
    assert compare(archived.copy(), archived) == ("equal", "2 rows")
    assert compare(accuracies(0.55, 0.7), archived)[0] == "within interval"
    assert compare(accuracies(0.65, 0.7), archived) == (
        "different", "1 of 2 rows are outside each other's interval (column accuracy)",
    )  # fmt: skip
    assert compare(accuracies(0.5, 0.7, tasks=("a", "c")), archived) == ("different", "the rows are not the same")
    assert compare(archived[:1], archived) == ("different", "1 rows, archived 2")
    assert compare(archived.rename(columns={"task": "t"}), archived) == ("different", "the columns differ")
    plain = pd.DataFrame({"task": ["a"], "x": [1.0]})
    assert compare(plain, plain.assign(x=1.5)) == (
        "different", "1 of 1 rows are beyond rounding, without an interval (column x)",
    )  # fmt: skip
    named = pd.DataFrame({"as_theta": [0.5], "as_theta_low": [0.4], "as_theta_high": [0.6]})
    assert compare(named.assign(as_theta=0.59), named)[0] == "within interval"
    alone = archived.assign(accuracy_low=np.nan, accuracy_high=np.nan)  # as of a single episode
    assert compare(alone.assign(accuracy=[0.6, 0.7]), alone) == (
        "different", "1 of 2 rows are beyond rounding, without an interval (column accuracy)",
    )  # fmt: skip


@hypothesis.given(st.lists(st.floats(-1e6, 1e6, allow_subnormal=False), min_size=1, max_size=8), st.floats(-1, 1))
def test_numbers_are_equal_up_to_the_stated_rounding(values, shift):
    archived = pd.DataFrame({"task": [f"t{place}" for place in range(len(values))], "x": values})
    assert compare(archived.assign(x=archived["x"] * (1 + 0.99e-3 * shift)), archived)[0] in (
        "equal",
        "equal up to rounding",
    )
    largest = archived["x"].abs().max()
    if largest > 0:
        moved = archived.assign(x=archived["x"].where(archived["x"].abs() < largest, archived["x"] * 1.003))
        assert compare(moved, archived)[0] == "different"


def test_the_largest_difference_is_named_with_its_place():
    archived = pd.DataFrame({"task": ["a", "b"], "layer": [3, 4], "x": [1.0, 2.0]})
    verdict, why = compare(archived.assign(x=[1.0, 2.001]), archived)
    assert (verdict, why) == ("equal up to rounding", "2 rows; largest relative difference 5.0e-04, x of b, 4")
    counted = pd.DataFrame({"task": ["a"], "n": [50], "exact": [0.5]})  # a share without an interval of its own
    assert compare(counted.assign(exact=0.52), counted)[0] == "within interval"
    assert compare(counted.assign(exact=0.9), counted)[0] == "different"


def test_pictures_are_compared_by_their_neighbours():
    rng = np.random.default_rng(0)
    tasks = np.repeat(["a", "b", "c"], 20)
    xy = rng.normal(size=(60, 2)) + 20 * np.repeat(np.arange(3), 20)[:, None]
    archived = pd.DataFrame(
        {"model": "m", "method": "tsne", "seed": 1, "layer": 3, "task": tasks, "x": xy[:, 0], "y": xy[:, 1]}
    )
    turned = archived.assign(x=-3 * archived["y"], y=archived["x"])
    assert compare(turned, archived, "pictures")[0] == "within interval"
    mixed = archived.assign(x=rng.normal(size=60), y=rng.normal(size=60))
    assert compare(mixed, archived, "pictures")[0] == "different"
    quality = pd.DataFrame({"model": ["m"], "method": ["tsne"], "seed": [1], "trustworthiness": [0.95]})
    assert compare(quality.assign(trustworthiness=0.93), quality, "qualities")[0] == "within interval"
    assert compare(quality.assign(trustworthiness=0.8), quality, "qualities")[0] == "different"


def test_histograms_and_lists_of_tokens_may_move_a_little():
    archived = pd.DataFrame({"task": "a", "kind": "within", "bin_low": [0.0, 0.1], "count": [600, 400]})
    assert compare(archived.assign(count=[601, 399]), archived, "histograms")[0] == "equal up to rounding"
    assert compare(archived.assign(count=[500, 500]), archived, "histograms")[0] == "different"
    tokens = pd.DataFrame(
        {"model": "m", "task": "a", "layer": 1, "token": [f"t{place}" for place in range(200)], "logit": 1.0}
    )
    swapped = tokens.iloc[[1, 0, *range(2, 200)]].reset_index(drop=True)
    assert compare(swapped, tokens, "token_lists")[0] == "equal up to rounding"
    assert compare(tokens.assign(token=tokens["token"] + "x"), tokens, "token_lists")[0] == "different"
