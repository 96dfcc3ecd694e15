"""What clusters and laptops do to a study: damage, kills, full disks, two Snakemakes. Nothing wrong is taken for finished."""

import os
import random
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from conftest import SMOKE, Study, copy_project, wait_for
from taskvectors.errors import StudyError
from taskvectors.job import reported
from taskvectors.progress import logger
from taskvectors.store.files import atomic
from taskvectors.store.parquet import read_parquets, read_stamp, write_parquet
from taskvectors.store.stamps import check_one_source, stamp
from taskvectors.store.thetas import write_thetas

MODEL = "results/smollm2-135m"


@pytest.fixture
def made_by(tmp_path):
    manifest = tmp_path / "manifest.json"
    manifest.write_text("{}", encoding="utf-8")
    return stamp("sweep_layers", manifest, "float32", "cpu", [])


def test_a_stamp_travels_with_its_file(made_by, tmp_path):
    table = pd.DataFrame({"task": ["a"], "layer": pd.array([None], dtype="Int64")})
    write_parquet(tmp_path / "a.parquet", table, made_by)
    assert read_stamp(tmp_path / "a.parquet") == made_by
    pd.testing.assert_frame_equal(read_parquets([tmp_path / "a.parquet"]), table)
    theta = {"a/test": np.ones((2, 3), dtype=np.float32)}
    write_thetas(tmp_path / "a.safetensors", theta, made_by)
    thetas, found = read_theta_file(tmp_path / "a.safetensors")
    assert found == made_by and (thetas["a/test"] == 1).all()


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


def test_other_rules_may_use_other_code(made_by):
    check_one_source({"a": made_by, "b": {**made_by, "rule": "extract_theta", "code": "another"}, "c": None})


def test_a_single_flipped_bit_is_found(made_by, tmp_path):
    """In every byte of the data, of θ and of predictions: the file is refused, or (in unused bytes) reads as it was written."""
    theta = {"a/test": np.arange(6, dtype=np.float32).reshape(2, 3)}
    write_thetas(tmp_path / "a.safetensors", theta, made_by)
    table = pd.DataFrame({"task": [f"task {n}" for n in range(40)], "correct": [n % 3 == 0 for n in range(40)]})
    write_parquet(tmp_path / "a.parquet", table, made_by)
    refused = 0
    for name, read, same in (
        ("a.safetensors", lambda path: read_theta_file(path)[0], lambda got: (got["a/test"] == theta["a/test"]).all()),
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


def results(study: Study) -> dict[str, bytes]:
    files = [*sorted((study.folder / MODEL).glob("*.csv")), study.folder / "results/conclusions.csv"]
    return {path.name: path.read_bytes() for path in files}


@pytest.mark.slow
def test_results_say_what_they_come_from_and_nothing_of_the_user(finished):
    found = pd.read_json(finished.folder / MODEL / "provenance.json", typ="series")
    assert found["runs"]["dtype"] == ["float32"] and found["runs"]["device"] == ["cpu"] and found["seeds"] == [0, 1]
    assert {"torch", "transformers"} <= set(found["runs"]["software"][0]) and "model.safetensors" in found["weights"]
    assert "--configfile config/smoke.yaml" in found["runs"]["command"][0]
    private = [str(finished.folder), str(Path.home()) + "/"]
    for path in [*finished.folder.glob("results/**/*.*"), *finished.folder.glob("reports/**/*.*")]:
        if path.suffix in (".json", ".csv", ".log", ".html", ".tex", ".svg", ".jsonl") and "weights" not in path.parts:
            text = path.read_text(encoding="utf-8")
            assert not any(word in text for word in private), path


@pytest.mark.slow
def test_damaged_files_stop_the_study_and_are_made_anew(finished, changed):
    for name, rule in (
        (f"{MODEL}/theta/linguistic.safetensors", "geometry"),
        (f"{MODEL}/predictions/sweep_layers.linguistic.parquet", "choose_layer"),
        (f"{MODEL}/weights/model.safetensors", "decode_theta"),
    ):
        path = changed.folder / name
        times, data = path.stat(), bytearray(path.read_bytes())
        data[len(data) // 3] ^= 1
        path.unlink()  # it may be a hard link
        path.write_bytes(data)
        os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
        result = changed.snakemake("--forcerun", rule, "--until", rule)
        assert result.returncode != 0, f"{name}: the damage was not seen"
        assert re.search(r"damaged.*Delete", result.stdout) and "Traceback" not in result.stdout, result.stdout[-3000:]
        shutil.copy2(finished.folder / name, path)


@pytest.mark.slow
def test_a_second_snakemake_in_the_folder_is_refused_and_the_first_completes(finished, changed):
    changed.forget()
    with subprocess.Popen(
        changed.command("--configfile", SMOKE, "--until", "choose_layer"), cwd=changed.folder, env=changed.environment(),
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    ) as first:  # fmt: skip
        wait_for(lambda: list(changed.folder.glob(".snakemake/locks/*")), 60, "lock")
        second = changed.snakemake()
        assert second.returncode != 0 and "cannot be locked" in second.stdout and "Traceback" not in second.stdout
        output, _ = first.communicate(timeout=300)
    assert first.returncode == 0, output[-3000:]
    for name in ("layer_choice.csv", "layer_sweep.csv"):
        assert (changed.folder / MODEL / name).read_bytes() == (finished.folder / MODEL / name).read_bytes()


@pytest.mark.slow
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small disk")
def test_a_full_disk_stops_the_study_and_room_lets_it_go_on(finished, changed):
    shutil.rmtree(changed.folder / MODEL / "theta")
    small = changed.folder / MODEL / "theta"
    small.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", small], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("no disk can be mounted here")
    target = f"{MODEL}/theta/linguistic.safetensors"
    try:
        result = changed.snakemake("--", target)
        assert result.returncode != 0
        assert "No space left on device" in result.stdout, result.stdout[-3000:]
        assert not list(small.iterdir())
    finally:
        subprocess.run(["umount", small], check=True)
    result = changed.snakemake("--", target)
    assert result.returncode == 0, result.stdout[-3000:]
    thetas, _ = read_theta_file(changed.folder / target)
    expected, _ = read_theta_file(finished.folder / target)
    assert all((thetas[name] == expected[name]).all() for name in expected)


@pytest.mark.slow
@pytest.mark.extended
def test_a_study_killed_at_ten_random_points_ends_as_if_undisturbed(finished, changed):
    """Snakemake and everything it started are killed outright, ten times, each time some seconds further on."""
    changed.forget()
    shutil.rmtree(changed.folder / MODEL / "weights")
    rng = random.Random(0)
    stopped = 0
    while stopped < 10:
        with subprocess.Popen(
            changed.command("--configfile", SMOKE), cwd=changed.folder, env=changed.environment(),
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
        ) as run:  # fmt: skip
            time.sleep(rng.uniform(4, 16))
            assert run.poll() is None, f"the study ended after {stopped} kills: kill sooner"
            os.killpg(run.pid, signal.SIGKILL)
        stopped += 1
        assert changed.snakemake("--unlock").returncode == 0
    result = changed.snakemake()
    assert result.returncode == 0, result.stdout[-3000:]
    assert results(changed) == results(finished)
    assert "Nothing to be done" in changed.snakemake().stdout


@pytest.mark.slow
@pytest.mark.extended
def test_a_killed_worker_fails_its_job_alone(finished, changed):
    changed.forget()
    with subprocess.Popen(
        changed.command("--configfile", SMOKE, "--until", "choose_layer"), cwd=changed.folder, env=changed.environment(),
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    ) as run:  # fmt: skip
        log = changed.folder / MODEL / "logs/extract_theta.linguistic.log"
        wait_for(log.exists, 120, "extraction")
        found = subprocess.run(
            ["pgrep", "-f", f"{changed.folder}.*extract_theta.py"], capture_output=True, text=True, check=True
        )
        os.kill(int(found.stdout.split()[-1]), signal.SIGKILL)
        output, _ = run.communicate(timeout=300)
    assert run.returncode != 0 and "extract_theta" in output
    result = changed.snakemake()
    assert result.returncode == 0, result.stdout[-3000:]
    assert results(changed) == results(finished)


@pytest.mark.slow
@pytest.mark.extended
def test_two_fresh_runs_and_any_order_give_the_same_tables(finished, tmp_path):
    """Tasks in reverse, one job at a time: the same rows, to the last digit."""
    other = copy_project(tmp_path / "other")
    text = (other.folder / SMOKE).read_text(encoding="utf-8")
    tasks = re.search(r"tasks: \[([^]]*)\]", text).group(1)
    turned = ", ".join(reversed([task.strip() for task in tasks.split(",")]))
    (other.folder / SMOKE).write_text(text.replace(tasks, turned), encoding="utf-8")
    result = other.snakemake("--cores", "1")
    assert result.returncode == 0, result.stdout[-3000:]
    for path in sorted((finished.folder / MODEL).glob("*.csv")):
        mine, its = (folder / MODEL / path.name for folder in (finished.folder, other.folder))
        if path.name in (
            "embedding.csv",
            "embedding_quality.csv",
        ):  # t-SNE and UMAP start from the order of their points
            continue
        assert sorted(mine.read_text().splitlines()) == sorted(its.read_text().splitlines()), path.name
