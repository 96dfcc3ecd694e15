"""What jobs ran on: versions that they imported themselves, packages of their environments, and what differs between
jobs."""

import json
import sys
from pathlib import Path

import numpy as np

from taskvectors.job import note, reported
from taskvectors.store.provenance import resources
from taskvectors.store.software import imported, merged_records, packages, read_records, usage


def test_a_job_says_what_it_imported_and_no_more(monkeypatch):
    monkeypatch.delitem(sys.modules, "seaborn", raising=False)
    found = imported()
    assert found["numpy"] == np.__version__ and next(iter(found)) == "python" and "seaborn" not in found


def test_packages_of_an_environment_are_exact():
    listed = packages()
    assert f"numpy=={np.__version__}" in listed and listed == sorted(listed, key=str.lower)


def test_packages_of_a_conda_environment_stand_once(tmp_path):
    (tmp_path / "conda-meta").mkdir()
    (tmp_path / "conda-meta/scikit-learn-1.7.2-py312h3226591_0.json").touch()
    site = tmp_path / "lib/python3.12/site-packages"
    site.mkdir(parents=True)
    for name in ("huggingface_hub-1.2.0-pyhd8ed1ab_0", "typing_extensions-4.15.0-pyhcf101f3_0", "pytorch-2.8.0-cpu_0"):
        (tmp_path / f"conda-meta/{name}.json").touch()
    for name in (
        "scikit_learn-1.7.2",
        "pip_only-1.0",
        "huggingface_hub-1.2.0",
        "Typing.Extensions-4.15.0",
        "torch-2.8.0",
    ):
        (site / f"{name}.dist-info").mkdir()
    (site / "torch-2.8.0.dist-info/INSTALLER").write_text("conda\n")  # called otherwise there
    (site / "pip_only-1.0.dist-info/INSTALLER").write_text("pip\n")
    assert packages(tmp_path) == [
        "huggingface_hub-1.2.0-pyhd8ed1ab_0",
        "pip_only==1.0",
        "pytorch-2.8.0-cpu_0",
        "scikit-learn-1.7.2-py312h3226591_0",
        "typing_extensions-4.15.0-pyhcf101f3_0",
    ]


def test_every_job_leaves_its_record_beside_its_log(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with reported("geometry.log", "geometry", {"rule": "geometry", "code": "c"}):
        note({"weights": "w"})
    assert json.loads((tmp_path / "geometry.software.json").read_text())["made_by"] == {
        "rule": "geometry",
        "code": "c",
        "weights": "w",
    }
    with reported("geometry.log", "geometry"):  # the next job of the process is another one
        pass
    assert json.loads((tmp_path / "geometry.software.json").read_text())["made_by"] is None
    record = json.loads((tmp_path / "geometry.software.json").read_text())
    listed = (tmp_path / f"results/environments/{record['environment']}.txt").read_text().split("\n")
    assert record["imported"]["numpy"] == np.__version__ and f"numpy=={np.__version__}" in listed


def test_records_are_merged_and_differences_said(tmp_path):
    for name, torch, environment in (
        ("extract_theta.linguistic", "2.13.0", "aaa"),
        ("extract_theta.knowledge", "2.12.0", "bbb"),
        ("extract_theta.gone", "1.0", "ccc"),  # of a family that the study no longer has
        ("old_rule", "1.0", "ddd"),  # of another version of the workflow
        ("decode_theta", "2.13.0", "aaa"),
        ("paper_items.antonyms", "2.13.0", "aaa"),  # of a task, whatever the families are
    ):
        record = {"imported": {"python": "3.12.1", "torch": torch}, "environment": environment}
        (tmp_path / f"{name}.software.json").write_text(json.dumps(record))
    rules = {"extract_theta": True, "decode_theta": False, "paper_items": False}
    found = merged_records(read_records([tmp_path], ["linguistic", "knowledge"], rules))
    assert found["software"] == {"python": "3.12.1", "torch": "2.12.0 and 2.13.0"}
    assert found["differing"] == {
        "torch": {"2.13.0": ["decode_theta", "extract_theta", "paper_items"], "2.12.0": ["extract_theta"]}
    }
    assert found["environments"] == {"aaa": ["decode_theta", "extract_theta", "paper_items"], "bbb": ["extract_theta"]}


def test_what_rules_took_is_of_their_jobs(tmp_path, monkeypatch):
    """Wall time as Snakemake measured it; CPU time and the peak of memory as the kernel counted them for the job."""
    monkeypatch.chdir(tmp_path)
    records: dict = {"extract_theta": {}}
    for part, seconds, cpu, peak in (("a", 2.5, 4.0, 800), ("b", 1.5, 2.0, 900)):
        file = tmp_path / f"results/m/benchmarks/extract_theta.{part}.tsv"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"s\tmax_rss\n{seconds}\t-\n")
        used = {"usage": {"cpu_seconds": cpu, "peak_memory_mb": peak}}
        records["extract_theta"][f"results/m/logs/extract_theta.{part}.software.json"] = used
    found = resources([Path(f"results/m/benchmarks/extract_theta.{part}.tsv") for part in "ab"], records)
    assert found.to_dict("records") == [
        {"model": "m", "rule": "extract_theta", "jobs": 2, "seconds": 4.0, "cpu_seconds": 6.0, "peak_memory_mb": 900}
    ]
    del records["extract_theta"]["results/m/logs/extract_theta.b.software.json"]["usage"]  # of before it was counted
    found = resources([Path(f"results/m/benchmarks/extract_theta.{part}.tsv") for part in "ab"], records)
    assert found["cpu_seconds"].isna().all() and found["peak_memory_mb"].tolist() == [800]
    del records["extract_theta"]["results/m/logs/extract_theta.b.software.json"]  # of a family that is gone
    found = resources([Path(f"results/m/benchmarks/extract_theta.{part}.tsv") for part in "ab"], records)
    assert found[["jobs", "seconds", "cpu_seconds"]].values.tolist() == [[1, 2.5, 4.0]]
    before = usage()
    block = b"x" * 300_000_000
    sum(range(2_000_000))
    after = usage()
    assert after["cpu_seconds"] >= before["cpu_seconds"] and after["peak_memory_mb"] >= 300 and len(block)
