"""Where people work: containers, hubs, other file systems, other repositories, other homes."""

import contextlib
import errno
import os
import pwd
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from taskvectors import surroundings
from taskvectors.errors import StudyError, advice_for_killed
from taskvectors.models import loading, memory
from taskvectors.models.loading import refuse_too_large
from taskvectors.models.memory import left_in_groups, left_of_slurm, left_of_ulimit, memory_at_hand
from taskvectors.models.preparation import prepare
from taskvectors.store import files, stamps
from taskvectors.store.files import files_of, write_text
from taskvectors.store.stamps import code_version
from taskvectors.surroundings import settle, shortened, shown_command

ROOT = Path(__file__).parents[2]
SEGMENT = st.text(st.sampled_from("ab$&('\" ~.-"), min_size=1, max_size=4).filter(lambda text: text.strip(". "))


def settled(tmp_path, **environment) -> dict[str, str]:
    environment = {"HOME": str(tmp_path), "USER": "ann"} | environment
    settle(environment, ["--cores", "2"], tmp_path)
    return environment


def test_what_breaks_jobs_or_changes_results_is_set_or_cleared(tmp_path):
    names = (*surroundings.CLEARED, *surroundings.THREADS, *surroundings.SET, "IPYTHONDIR")
    found = settled(tmp_path, **dict.fromkeys(names, "theirs"), https_proxy="http://proxy", CUDA_VISIBLE_DEVICES="1")
    assert "theirs" not in found.values()
    assert found["MPLBACKEND"] == "agg" and found["IPYTHONDIR"].startswith(str(tmp_path))
    assert found["https_proxy"] == "http://proxy" and found["CUDA_VISIBLE_DEVICES"] == "1"
    assert found["STUDY_COMMAND"] == "snakemake --cores 2" and not set(surroundings.CACHES) & set(found)


def test_every_variable_is_said_to_be_what_it_is():
    said = dict.fromkeys(("Set\n", "Set where", "Cleared", "Kept"), "")
    text = surroundings.__doc__
    starts = sorted((text.index(heading), heading) for heading in said)
    for (start, heading), end in zip(starts, [*(start for start, _ in starts[1:]), len(text)], strict=True):
        said[heading] = text[start:end]
    assert all(name in said["Set\n"] for name in (*surroundings.SET, "IPYTHONDIR", surroundings.COMMAND))
    assert all(name in said["Set where"] for name in ("USER", "HOME", *surroundings.CACHES))
    assert all(name in said["Cleared"] for name in (*surroundings.CLEARED, "OMP_NUM_THREADS"))


def test_a_user_without_name_or_home_gets_both(tmp_path, monkeypatch):
    monkeypatch.setattr(pwd, "getpwuid", lambda uid: (_ for _ in ()).throw(KeyError(uid)))
    found: dict[str, str] = {}
    settle(found, [], tmp_path)
    assert found["USER"] == f"user-{os.getuid()}" and Path(found["HOME"]).is_relative_to(tmp_path)
    kept = {"LOGNAME": "ann", "HOME": str(tmp_path)}
    settle(kept, [], tmp_path)
    assert "USER" not in kept and kept["HOME"] == str(tmp_path)


def test_caches_move_where_the_home_cannot_be_written_to(tmp_path):
    found = settled(tmp_path, HOME="/not/there", MPLCONFIGDIR="/mine")
    assert found["XDG_CACHE_HOME"].startswith(str(tmp_path)) and found["NUMBA_CACHE_DIR"].startswith(str(tmp_path))
    assert found["MPLCONFIGDIR"] == "/mine" and found["HOME"] == "/not/there"


# --- paths


@pytest.mark.parametrize(
    ("home", "arguments", "shown"),
    [
        ("/", ["--directory", "/data/x"], "snakemake --directory /data/x"),
        ("/home/ann", ["--directory", "/home/anna/x"], "snakemake --directory /home/anna/x"),
        ("/home/ann", ["--directory", "/home/ann"], 'snakemake --directory "$HOME"'),
        ("/home/ann/", ["/home/ann/my study/$x"], r'snakemake "$HOME/my study/\$x"'),
        (
            "/home/ann",
            ["--directory=/home/ann/x", "/mnt/home/ann/x"],
            'snakemake "--directory=$HOME/x" /mnt/home/ann/x',
        ),
        ("/home/ann", ["--config", "archive=/home/ann/x.zip"], 'snakemake --config "archive=$HOME/x.zip"'),
        ("/home/ann", ["models={m: {folder: /home/ann/w}}"], 'snakemake "models={m: {folder: $HOME/w}}"'),
        ("/home/ann", ["-d/home/ann/s"], 'snakemake -d"$HOME/s"'),
        ("", ["a b"], "snakemake 'a b'"),
    ],
)
def test_a_home_is_shortened_where_it_begins_a_path_and_only_whole(home, arguments, shown):
    assert shown_command(arguments, {"HOME": home}) == shown


@pytest.mark.parametrize(
    ("folder", "text", "expected"),
    [
        ("/", "reads /data/x", "reads /data/x"),
        ("/home/ann", "/home/anna /home/ann.old /home/ann-2 /mnt/home/ann", "/home/anna /home/ann.old /home/ann-2 /mnt/home/ann"),
        ("/home/ann", "'/home/ann/x' (/home/ann) file:///home/ann/y", "'~/x' (~) file://~/y"),
        ("/a.b", "/aXb/c /a.b/c", "/aXb/c ~/c"),
        ("/home/ann", "see /home/ann. Then -L/home/ann/lib", "see ~. Then -L~/lib"),
        ("/home/ann\\", "/home/ann\\/x", "~/x"),
    ],
)  # fmt: skip
def test_a_folder_is_shortened_in_a_text_where_it_begins_a_path_and_only_whole(folder, text, expected):
    assert shortened(text, folder, "~") == expected


@given(parts=st.lists(SEGMENT, min_size=1, max_size=3), home=SEGMENT)
@settings(max_examples=30)
def test_a_shown_command_is_that_of_the_user(parts, home):
    """A shell in which HOME is the same reads the same arguments, and the home is not among the words."""
    home = f"/of-users/{home}"
    arguments = ["--directory", "/".join([home, *parts]), f"--config=a={home}", "/".join(["", *parts])]
    said = shown_command(arguments, {"HOME": home}).removeprefix("snakemake ")
    script = f"printf '%s\\0' {said}"
    read = subprocess.run(["bash", "-c", script], env={"HOME": home}, capture_output=True, text=True, check=True).stdout
    assert read.split("\0")[:-1] == arguments and "of-users" not in said


# --- repositories


def git(folder: Path, *command: str) -> str:
    identity = ["-c", "user.name=a", "-c", "user.email=a@b.c"]
    found = subprocess.run(["git", *identity, *command], cwd=folder, capture_output=True, text=True, check=True)
    return found.stdout.strip()


def repository(folder: Path) -> str:
    git(folder, "init", "-q")
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "--allow-empty", "-m", "one")
    return git(folder, "rev-parse", "HEAD")


@pytest.fixture
def theirs(tmp_path, monkeypatch) -> Path:
    """The user's own repository, in which the study is run, with a copy of the workflow."""
    (tmp_path / "vendored").mkdir()
    shutil.copy(ROOT / "pyproject.toml", tmp_path / "vendored")
    repository(tmp_path)
    monkeypatch.chdir(tmp_path)
    code_version.cache_clear()
    return tmp_path


def test_the_code_is_the_workflows_own_commit_or_its_version(theirs, monkeypatch):
    copied = theirs / "vendored"
    assert set(code_version(copied)) == {"version"}
    own = repository(copied)
    code_version.cache_clear()
    assert code_version(copied)["commit"] == own and code_version(copied)["modified"] is False
    (copied / "Snakefile").touch()
    monkeypatch.setenv("GIT_DIR", str(theirs / ".git"))  # as a hook has it
    code_version.cache_clear()
    assert code_version(copied) | {"version": ""} == {"version": "", "commit": own, "modified": True}
    monkeypatch.setenv("PATH", "")  # no git
    code_version.cache_clear()
    assert "cannot read" in code_version(copied)["commit"]


def test_a_submodule_and_a_worktree_have_their_own_commit(theirs, tmp_path_factory):
    copied = theirs / "vendored"
    own = repository(copied)
    git(copied, "worktree", "add", "-q", str(theirs / "tree"))
    git(theirs, "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(copied), "sub")
    for folder in (theirs / "tree", theirs / "sub"):
        assert code_version(folder)["commit"] == own


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_a_repository_of_another_user_is_read(theirs):
    """As in a container that runs under the id of somebody else."""
    own = repository(theirs / "vendored")
    for path in [theirs / "vendored", *(theirs / "vendored").rglob("*")]:
        os.chown(path, 12345, 12345)
    assert code_version(theirs / "vendored")["commit"] == own


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_a_repository_of_another_user_is_read_by_a_link(theirs):
    own = repository(theirs / "vendored")
    os.chown(theirs / "vendored", 12345, 12345)
    (theirs / "link").symlink_to(theirs / "vendored")
    assert code_version(theirs / "link")["commit"] == own


@pytest.mark.parametrize(
    "settings", ["broken[[", "[status]\nshowUntrackedFiles = no\n[core]\nexcludesFile = ~/ignore\n"]
)
def test_the_users_settings_of_git_decide_on_nothing(theirs, tmp_path_factory, monkeypatch, settings):
    home = tmp_path_factory.mktemp("home")
    own = repository(theirs / "vendored")
    (home / ".gitconfig").write_text(settings)
    (home / "ignore").write_text("*.py\n")
    monkeypatch.setenv("HOME", str(home))
    assert code_version(theirs / "vendored") | {"version": ""} == {"version": "", "commit": own, "modified": False}
    (theirs / "vendored/workflow").mkdir()
    (theirs / "vendored/workflow/new.py").touch()
    code_version.cache_clear()
    assert code_version(theirs / "vendored")["modified"] is True


def test_studies_beside_the_code_are_no_change_of_it(theirs):
    repository(theirs / "vendored")
    for name in ("my study/mine.yaml", "config/mine.yaml", "notes.txt", "data/episodes/e.jsonl"):
        (theirs / "vendored" / name).parent.mkdir(exist_ok=True, parents=True)
        (theirs / "vendored" / name).touch()
    assert code_version(theirs / "vendored")["modified"] is False
    (theirs / "vendored/data/tasks").mkdir(parents=True)
    (theirs / "vendored/data/tasks/new.csv").touch()
    code_version.cache_clear()
    assert code_version(theirs / "vendored")["modified"] is True


def test_a_repository_that_cannot_be_read_is_told_from_none(theirs):
    repository(theirs / "vendored")
    shutil.rmtree(theirs / "vendored/.git/objects")
    assert "cannot read" in code_version(theirs / "vendored")["commit"]


def test_the_version_is_the_projects():
    assert code_version()["version"] == stamps.code_version(ROOT)["version"] and stamps.ROOT == ROOT


# --- file systems


@pytest.mark.parametrize("number", [errno.EINVAL, errno.ENOTSUP, errno.EPERM, errno.EACCES])
def test_a_folder_that_cannot_be_flushed_is_no_fault(number, tmp_path, monkeypatch):
    """CIFS, VirtualBox, FUSE; and modes that cannot be set."""
    real = os.fsync

    def refuse_folders(descriptor: int) -> None:
        if Path(f"/proc/self/fd/{descriptor}").is_dir():
            raise OSError(number, "no")
        real(descriptor)

    monkeypatch.setattr(files.os, "fsync", refuse_folders)
    monkeypatch.setattr(Path, "chmod", lambda *of: (_ for _ in ()).throw(PermissionError(errno.EPERM, "no")))
    write_text(tmp_path / "a/b.txt", "text")
    assert (tmp_path / "a/b.txt").read_text() == "text"


def test_a_file_that_cannot_be_flushed_is_a_fault_and_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(files.os, "fsync", lambda descriptor: (_ for _ in ()).throw(OSError(errno.EIO, "no")))
    with pytest.raises(OSError, match="no"):
        write_text(tmp_path / "b.txt", "text")
    assert list(tmp_path.iterdir()) == []


def test_weights_are_copied_where_nothing_can_be_linked(saved, tmp_path, monkeypatch):
    monkeypatch.setattr(Path, "symlink_to", lambda *of: (_ for _ in ()).throw(OSError(errno.ENOTSUP, "no")))
    prepare(saved, tmp_path / "weights")
    copied = tmp_path / "weights/model.safetensors"
    assert not copied.is_symlink() and copied.read_bytes() == (saved / "model.safetensors").read_bytes()


@pytest.mark.parametrize("mask", [0o000, 0o022, 0o077, 0o007])
def test_files_have_the_mode_that_the_umask_asks_for(mask, tmp_path):
    before = os.umask(mask)
    try:
        write_text(tmp_path / "b.txt", "text")
    finally:
        os.umask(before)
    assert (tmp_path / "b.txt").stat().st_mode & 0o777 == 0o666 & ~mask


def test_hidden_files_are_no_weights(saved, tmp_path):
    folder = tmp_path / "model"
    shutil.copytree(saved, folder)
    for name in ("._model.safetensors", "._config.json", ".hidden.txt", "._tokenizer.json"):
        (folder / name).write_bytes(b"\0\5\x16\7")
    (folder / ".ipynb_checkpoints").mkdir()
    prepare(folder, tmp_path / "weights")
    assert not [file for file in (tmp_path / "weights").iterdir() if file.name.startswith(".")]
    assert files_of(folder, "*.safetensors") == [folder / "model.safetensors"]


# --- memory


def groups_of(tmp_path, lists: str, mounts: str, tree: dict[str, tuple[str, int, int]]) -> list[int]:
    """What is left by groups that lie below tmp_path: of every folder its limit, what it takes, and what can be given
    back."""
    for folder, (limit, taken, inactive) in tree.items():
        path = tmp_path / folder
        path.mkdir(parents=True, exist_ok=True)
        second = "memory.max" if "v2" in folder else "memory.limit_in_bytes"
        (path / second).write_text(f"{limit}\n")
        (path / ("memory.current" if "v2" in folder else "memory.usage_in_bytes")).write_text(f"{taken}\n")
        name = "inactive_file" if "v2" in folder else "total_inactive_file"
        (path / "memory.stat").write_text(f"anon 7\n{name} {inactive}\n")
    (tmp_path / "cgroup").write_text(lists)
    (tmp_path / "mountinfo").write_text(mounts.format(tmp=str(tmp_path).replace(" ", "\\040")))
    return sorted(left_in_groups(tmp_path / "cgroup", tmp_path / "mountinfo"))


def test_groups_of_version_2_limit_at_every_level(tmp_path):
    mounts = "30 23 0:26 / {tmp}/v2 rw,nosuid - cgroup2 cgroup2 rw\n31 23 0:27 / /proc rw - proc proc rw\n"
    tree = {"v2/user": ("1300", 300, 100), "v2/user/job": ("max", 200, 0), "v2/user/job/step": ("900", 100, 0)}
    assert groups_of(tmp_path, "0::/user/job/step\n", mounts, tree) == [800, 1100]


def test_a_container_sees_its_own_group_at_the_top(tmp_path):
    """Namespaces: the path says `/`, or a path of the host's, of which only the container's part is mounted."""
    mounts = "30 23 0:26 /docker/abc {tmp}/v2 rw - cgroup2 cgroup rw\n"
    for path in ("/", "/docker/abc", "/../other"):
        assert groups_of(tmp_path, f"0::{path}\n", mounts, {"v2": ("1000", 400, 0)}) == [600]


def test_groups_of_version_1_limit_too(tmp_path):
    mounts = "32 31 0:30 / {tmp}/v1 rw - cgroup cgroup rw,memory\n33 31 0:31 / {tmp}/cpu rw - cgroup cgroup rw,cpu\n"
    mounts += "34 31 0:38 / {tmp}/v2 rw - cgroup2 cgroup2 rw\n"  # a hybrid: version 2 without memory
    tree = {"v1": (str(2**63 - 4096), 0, 0), "v1/job": ("1500", 1000, 200)}
    left = groups_of(tmp_path, "4:memory:/job\n1:cpu:/job\n0::/\n", mounts, tree)
    assert left[0] == 700 and len(left) == 2


def test_the_high_limit_counts_too(tmp_path):
    mounts = "30 23 0:26 / {tmp}/v2 rw - cgroup2 cgroup2 rw\n"
    (tmp_path / "v2").mkdir()
    (tmp_path / "v2/memory.high").write_text("500\n")
    assert groups_of(tmp_path, "0::/\n", mounts, {"v2": ("max", 100, 0)}) == [400]


def test_odd_lines_and_names_of_any_bytes_hide_no_limit(tmp_path):
    lists, mounts = (
        "\nodd\n0::/\n",
        "x\n\n31 23 0:27 / /mnt/caf@ rw - tmpfs tmpfs rw\n30 23 0:26 / {tmp}/é v2 rw - cgroup2 cgroup2 rw\n",
    )
    mounts = mounts.replace("é v2", "é\\040v2")
    assert groups_of(tmp_path, lists, mounts, {"é v2": ("1000", 100, 0)}) == [900]
    raw = (tmp_path / "mountinfo").read_bytes().replace(b"@", b"\xe9")
    (tmp_path / "mountinfo").write_bytes(raw)
    assert list(left_in_groups(tmp_path / "cgroup", tmp_path / "mountinfo")) == [900]


def test_where_there_are_no_groups_nothing_is_limited(tmp_path):
    assert list(left_in_groups(tmp_path / "no", tmp_path / "no")) == []
    assert groups_of(tmp_path, "0::/\n", "", {}) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a control group")
def test_a_process_in_a_group_takes_no_more_than_the_group_has(tmp_path):
    """A real one, of whichever version this machine has."""
    version_1, version_2 = Path("/sys/fs/cgroup/memory"), Path("/sys/fs/cgroup")
    top, limit = (version_1, "memory.limit_in_bytes") if version_1.is_dir() else (version_2, "memory.max")
    own = next((line.split(":", 2)[2] for line in Path("/proc/self/cgroup").read_text().splitlines()
                if ("memory" in line.split(":")[1].split(",")) == version_1.is_dir()), "/")  # fmt: skip
    group = Path(f"{top}{own}") / f"study-test-{os.getpid()}"
    try:
        group.mkdir()
        (group / limit).write_text(str(1_300_000_000))
    except OSError:
        with contextlib.suppress(OSError):
            group.rmdir()
        pytest.skip("no control group can be made here")
    code = f"""import sys; sys.path.insert(0, {str(ROOT / "workflow/scripts")!r})
open({str(group / "cgroup.procs")!r}, 'w').write('0')
from taskvectors.models.memory import memory_at_hand; print(memory_at_hand())"""
    try:
        said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    finally:
        group.rmdir()
    assert 500_000_000 < int(said) < 1_300_000_000


@pytest.mark.parametrize(
    ("environment", "megabytes"),
    [
        ({"SLURM_MEM_PER_NODE": "9000"}, [9000]),
        ({"SLURM_MEM_PER_CPU": "2000", "SLURM_CPUS_ON_NODE": "4"}, [8000]),
        ({"SLURM_MEM_PER_GPU": "6000", "SLURM_GPUS_ON_NODE": "2"}, [12000]),
        ({"SLURM_MEM_PER_NODE": "9000", "SLURM_MEM_PER_CPU": "3000", "SLURM_CPUS_ON_NODE": "1"}, [3000, 9000]),
        ({"SLURM_MEM_PER_GPU": "6000", "SLURM_GPUS_ON_NODE": "gpu:2"}, [12000]),
        ({"SLURM_MEM_PER_GPU": "6000"}, [6000]),
        ({"SLURM_MEM_PER_NODE": "9000M"}, [9000]),
        ({"SLURM_MEM_PER_NODE": " 9G"}, [9216]),
        ({"SLURM_MEM_PER_NODE": "0"}, []),
        ({"SLURM_MEM_PER_NODE": "all"}, []),
        ({}, []),
    ],
)
def test_slurm_limits_by_node_core_and_gpu(environment, megabytes):
    taken = psutil.Process().memory_info().rss + memory.BESIDE
    left = sorted(left_of_slurm(environment))
    assert left == pytest.approx([amount * 2**20 - taken for amount in megabytes], abs=50e6)


def test_cores_of_a_slurm_job_that_says_none_are_those_it_may_use():
    (left,) = left_of_slurm({"SLURM_MEM_PER_CPU": "4000"})
    taken = psutil.Process().memory_info().rss + memory.BESIDE
    assert left == pytest.approx(4000 * 2**20 * len(os.sched_getaffinity(0)) - taken, abs=50e6)


@pytest.mark.parametrize(("kind", "part"), [(resource.RLIMIT_AS, "vms"), (resource.RLIMIT_DATA, "data")])
def test_ulimit_limits(monkeypatch, kind, part):
    monkeypatch.setattr(resource, "getrlimit", lambda asked: (10**12 if asked == kind else resource.RLIM_INFINITY, -1))
    (left,) = left_of_ulimit()
    assert left == pytest.approx(10**12 - getattr(psutil.Process().memory_info(), part), abs=50e6)


def test_the_least_of_all_limits_counts(monkeypatch):
    monkeypatch.setattr(memory, "left_in_groups", lambda: [5000, 3000])
    monkeypatch.setattr(memory, "left_of_slurm", lambda environment: [4000])
    assert memory_at_hand() == 3000
    monkeypatch.setattr(memory, "left_of_ulimit", lambda: [-1])
    assert memory_at_hand() == 0


def test_weights_beyond_the_memory_are_refused_before_they_are_read(saved, monkeypatch):
    size = sum(file.stat().st_size for file in saved.glob("*.safetensors"))  # of float16
    monkeypatch.setattr(loading, "memory_at_hand", lambda: 1.5 * size)
    refuse_too_large(saved, "bfloat16")
    refuse_too_large(saved, "auto")
    with pytest.raises(StudyError, match=r"the weights take .* GB in float32, but .*jobs_at_once: 1"):
        refuse_too_large(saved, "float32")


@pytest.mark.parametrize(
    ("said", "killed"),
    [
        ("Command 'python x.py' died with <Signals.SIGKILL: 9>.", True),
        ("returned non-zero exit status 137.", True),
        ("(command exited with non-zero exit code: [137])", True),
        ("SLURM job failed: OUT_OF_MEMORY", True),
        ("returned non-zero exit status 1.", False),
        ("137 of 200 steps (68%) done", False),
    ],
)
def test_a_job_that_was_killed_is_explained(said, killed, tmp_path):
    log = tmp_path / "snakemake.log"
    log.write_text(said)
    for logs in (log, [log], [str(log), tmp_path / "gone.log"]):
        assert ("jobs_at_once: 1" in advice_for_killed(logs)) == killed
    assert advice_for_killed(None) == advice_for_killed([]) == ""
