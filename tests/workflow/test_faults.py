"""What clusters and laptops do to a study: damage, kills, full disks, two Snakemakes. Nothing wrong is taken for
finished."""

import base64
import os
import random
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pandas as pd
import pytest
from pandas.api.types import is_float_dtype

from conftest import SMOKE, Study, copy_project, wait_for
from taskvectors.store.tables import read_csv
from taskvectors.store.thetas import read_thetas

MODEL = "results/smollm2-135m"


def results(study: Study) -> dict[str, bytes]:
    files = [*sorted((study.folder / MODEL).glob("*.csv")), study.folder / "results/conclusions.csv"]
    return {path.name: path.read_bytes() for path in files}


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


def test_a_second_snakemake_in_the_folder_is_refused_and_the_first_completes(finished, changed):
    changed.forget()
    with subprocess.Popen(
        changed.command("--configfile", SMOKE, "--until", "episodes"), cwd=changed.folder, env=changed.environment(),
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    ) as first:  # fmt: skip
        wait_for(lambda: list(changed.folder.glob(".snakemake/locks/*")), 60, "lock")
        second = changed.snakemake()
        assert second.returncode != 0 and "cannot be locked" in second.stdout and "Traceback" not in second.stdout
        output, _ = first.communicate(timeout=300)
    assert first.returncode == 0, output[-3000:]
    for name in ("linguistic", "knowledge"):
        made, expected = (study.folder / MODEL / f"episodes/{name}.jsonl" for study in (changed, finished))
        assert made.read_bytes() == expected.read_bytes()


def test_what_a_killed_job_left_undone_is_done_though_its_tables_of_before_lie_there(changed):
    """Its setting was changed; Snakemake has deleted its output, and what it knew of it."""
    output = f"{MODEL}/predictions/robustness.parquet"
    (changed.folder / output).unlink()
    (known,) = (changed.folder / ".snakemake/metadata").rglob(base64.urlsafe_b64encode(output.encode()).decode())
    known.unlink()
    changed.edit("config/config.yaml", "wrong: [40, 100]", "wrong: [100]")
    assert {"robustness", "robustness_tables", "figure_robustness", "provenance"} <= set(changed.planned())


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
    made, expected = (read_thetas([study.folder / target]) for study in (changed, finished))
    assert made.rows == expected.rows and (made.theta == expected.theta).all()


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


@pytest.mark.extended
def test_two_fresh_runs_and_any_order_give_the_same_tables(finished, tmp_path):
    """Tasks in reverse, one job at a time: the same rows; means of measured values up to rounding, as sums run in
    another order."""
    other = copy_project(tmp_path / "other")
    text = (other.folder / SMOKE).read_text(encoding="utf-8")
    tasks = re.search(r"tasks: \[([^]]*)\]", text).group(1)
    turned = ", ".join(reversed([task.strip() for task in tasks.split(",")]))
    (other.folder / SMOKE).write_text(text.replace(tasks, turned), encoding="utf-8")
    result = other.snakemake("--cores", "1")
    assert result.returncode == 0, result.stdout[-3000:]
    for path in sorted((finished.folder / MODEL).glob("*.csv")):
        if not path.name.startswith("embedding"):  # t-SNE and UMAP start from the order of their points
            turned = in_one_order(other.folder / MODEL / path.name)
            close = 1e-4 if path.name == "gradient.csv" else 2e-6  # steps of descent make more of a rounding
            pd.testing.assert_frame_equal(in_one_order(path), turned, rtol=1e-5, atol=close, obj=path.name)


def in_one_order(file: Path) -> pd.DataFrame:
    """The rows of a table, sorted by all that is no measured value."""
    table = read_csv(file)
    keys = [name for name in table if not (is_float_dtype(table[name]) and (table[name] % 1 > 0).any())]
    return table.sort_values(keys, ignore_index=True)
