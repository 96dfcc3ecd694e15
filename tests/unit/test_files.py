"""Files that are whole or not there, say what they come from, and are refused where they are damaged; logs without
secrets."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from taskvectors.errors import StudyError
from taskvectors.job import reported
from taskvectors.progress import logger
from taskvectors.store.files import atomic
from taskvectors.store.parquet import read_parquets, read_stamp, write_parquet
from taskvectors.store.provenance import stamps_by_model
from taskvectors.store.stamps import check_one_source, stamp
from taskvectors.store.thetas import Thetas, read_thetas, write_thetas


@pytest.fixture
def made_by(tmp_path):
    manifest = tmp_path / "manifest.json"
    manifest.write_text("{}", encoding="utf-8")
    return stamp("sweep_layers", manifest, "float32", "cpu", "torch", [])


def some_thetas() -> Thetas:
    theta = np.arange(6, dtype=np.float32).reshape(1, 2, 3)
    return Thetas([("a", "test", 0, 0)], theta, theta[..., 0].copy(), theta[:, 0].copy())


def same_thetas(got: Thetas) -> bool:
    return got.rows == some_thetas().rows and bool((got.theta == some_thetas().theta).all())


def test_stamps_of_files_and_of_jobs_are_gathered_by_model(made_by, tmp_path, monkeypatch):
    """Also of jobs whose files carry none, as tables of words do."""
    monkeypatch.chdir(tmp_path)
    write_parquet("results/m/heads/effects.parquet", pd.DataFrame({"a": [1]}), made_by)
    write_parquet("results/m/predictions/constant_answers.f.parquet", pd.DataFrame({"a": [1]}))
    rows = [("t", "test", 0, 0)]
    thetas = Thetas(rows, np.zeros((1, 1, 2), "f4"), np.zeros((1, 1), "f4"), np.zeros((1, 2), "f4"))
    write_thetas("results/m/theta/f.safetensors", thetas, made_by)
    other = made_by | {"rule": "decode_theta", "weights": "others"}
    records = {
        "decode_theta": {"results/m/logs/decode_theta.software.json": {"made_by": other}},
        "embed_theta": {"results/m/logs/embed_theta.software.json": {"made_by": {"rule": "embed_theta", "code": "c"}}},
        "summary": {"results/logs/summary.software.json": {"made_by": {"rule": "summary", "code": "c"}}},
        "old": {"results/m/logs/old.software.json": {}},
    }
    files = [
        "results/m/heads/effects.parquet",
        "results/m/predictions/constant_answers.f.parquet",
        "results/m/theta/f.safetensors",
    ]
    stamps = stamps_by_model(files, records, ["m"])["m"]
    assert {made["rule"] for made in stamps.values()} == {"sweep_layers", "decode_theta", "embed_theta"}
    with pytest.raises(StudyError, match=r"decode_theta.software.json and .* were computed with different weights"):
        check_one_source(stamps)
    del stamps["results/m/logs/decode_theta.software.json"]
    check_one_source(stamps)
    stamps["results/m/logs/embed_theta.2.software.json"] = {"rule": "embed_theta", "code": "d"}
    with pytest.raises(StudyError, match=r"different code"):
        check_one_source(stamps)


def test_a_stamp_travels_with_its_file(made_by, tmp_path):
    table = pd.DataFrame({"task": ["a"], "layer": pd.array([None], dtype="Int64")})
    write_parquet(tmp_path / "a.parquet", table, made_by)
    assert read_stamp(tmp_path / "a.parquet") == made_by
    pd.testing.assert_frame_equal(read_parquets([tmp_path / "a.parquet"]), table)
    write_thetas(tmp_path / "a.safetensors", some_thetas(), made_by)
    thetas = read_thetas([tmp_path / "a.safetensors"], made_by)
    assert thetas.rows == some_thetas().rows and (thetas.theta == some_thetas().theta).all()


def test_theta_that_is_a_view_is_written_as_it_is_read(made_by, tmp_path):
    whole = np.arange(48, dtype=np.float32).reshape(2, 4, 6)
    view = Thetas(
        [("a", "test", 0, 0), ("a", "test", 0, 1)],
        whole[:, ::2, ::3].transpose(0, 2, 1),
        whole[:, :2, 1],
        whole[:, 1, ::2],
    )
    write_thetas(tmp_path / "a.safetensors", view, made_by)
    got = read_thetas([tmp_path / "a.safetensors"], made_by)
    assert (got.theta == view.theta).all() and (got.variance_over_dummies == view.variance_over_dummies).all()


@pytest.mark.parametrize("what", ["weights", "dtype", "software", "code"])
def test_files_of_different_origin_are_not_mixed(made_by, tmp_path, what):
    table = pd.DataFrame({"task": ["a"]})
    write_parquet(tmp_path / "a.parquet", table, made_by)
    write_parquet(tmp_path / "b.parquet", table, {**made_by, what: "another"})
    with pytest.raises(
        StudyError, match=rf"b.parquet and .*a.parquet were computed with different {what}.*--forcerun sweep"
    ):
        read_parquets([tmp_path / "a.parquet", tmp_path / "b.parquet"])
    read_parquets([tmp_path / "a.parquet", tmp_path / "a.parquet"])


@pytest.mark.parametrize("what", ["weights", "dtype", "software"])
def test_theta_of_another_origin_is_not_patched(made_by, tmp_path, what):
    write_thetas(tmp_path / "a.safetensors", some_thetas(), {**made_by, "rule": "extract_theta"})
    read_thetas([tmp_path / "a.safetensors"], made_by)
    with pytest.raises(
        StudyError, match=f"this job of rule sweep_layers and .*a.safetensors were computed with different {what}"
    ):
        read_thetas([tmp_path / "a.safetensors"], {**made_by, what: "another"})


def test_other_rules_may_use_other_code(made_by):
    check_one_source({"a": made_by, "b": {**made_by, "rule": "extract_theta", "code": "another"}, "c": None})


def test_a_single_flipped_bit_is_found(made_by, tmp_path):
    """In every byte of the data, of θ and of predictions: the file is refused, or (in unused bytes) reads as it was
    written."""
    write_thetas(tmp_path / "a.safetensors", some_thetas(), made_by)
    table = pd.DataFrame({"task": [f"task {n}" for n in range(40)], "correct": [n % 3 == 0 for n in range(40)]})
    write_parquet(tmp_path / "a.parquet", table, made_by)
    refused = 0
    for name, read, same in (
        ("a.safetensors", lambda path: read_thetas([path]), same_thetas),
        ("a.parquet", lambda path: read_parquets([path]), lambda got: got.equals(table)),
    ):
        data = (tmp_path / name).read_bytes()
        # The beginning of Parquet and the end of safetensors hold the values.
        places = range(4, 300) if name == "a.parquet" else range(len(data) - 24, len(data))
        for place in places:
            (tmp_path / f"damaged.{name}").write_bytes(data[:place] + bytes([data[place] ^ 4]) + data[place + 1 :])
            try:
                assert same(read(tmp_path / f"damaged.{name}")), f"{name}: byte {place} changes the content unseen"
            except StudyError as error:
                assert "Delete it and run again" in str(error)
                refused += 1
    assert refused > 24


def test_a_write_that_fails_leaves_the_old_file(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("old", encoding="utf-8")
    with pytest.raises(OSError), atomic(path) as temporary:
        temporary.write_text("half", encoding="utf-8")
        raise OSError(28, "No space left on device")
    assert path.read_text(encoding="utf-8") == "old" and list(tmp_path.iterdir()) == [path]


def test_logs_hold_no_secret_and_no_path_of_the_user(monkeypatch, tmp_path):
    monkeypatch.setenv("HF_TOKEN", "hf_abcdef")
    with reported(tmp_path / "log", "weights"):
        logger.info("asked with hf_abcdef for %s", Path.home() / "models" / "x")
    text = (tmp_path / "log").read_text(encoding="utf-8")
    assert "asked with *** for ~/models/x" in text and "hf_abcdef" not in text
