"""Control groups as the kernel lays them out, on a copy of its files; and the watch that does without."""

import json
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from sagehouse.runtimes.process.ledger import status_json
from sagehouse.runtimes.process.limits import Group, is_full, make_group, used_bytes
from sagehouse.runtimes.process.removal import remove_tree

LIMITS = {"memory_limit_bytes": 1000, "cpu_limit": 1.5}


def files(folder: Path) -> dict[str, str]:
    return {path.relative_to(folder).as_posix(): path.read_text() for path in folder.rglob("*") if path.is_file()}


def a_group(root: Path, own: str, **limits: float | int | None) -> Group:
    (root / "own").write_text(own)
    given = {"memory_limit_bytes": None, "cpu_limit": None, **limits}
    return make_group("job", root=str(root / "cgroup"), own=str(root / "own"), **given)  # type: ignore[arg-type]  # a test's brevity


def test_version_2_beside_the_own_group(tmp_path: Path) -> None:
    """A group that has processes, as the own one has, may not limit groups below it."""
    parent = tmp_path / "cgroup" / "user.slice"
    (parent / "house.scope").mkdir(parents=True)
    group = a_group(tmp_path, "0::/user.slice/house.scope\n", **LIMITS)
    assert (group.memory, group.cpu) == (str(parent / "job"), str(parent / "job"))
    assert files(parent / "job") == {
        "memory.max": "1000",
        "memory.swap.max": "0",
        "memory.oom.group": "1",
        "cpu.max": "150000 100000",
        "pids.max": "16384",
    }


def test_version_1_has_a_group_for_each_controller(tmp_path: Path) -> None:
    for controller in ("memory/docker", "cpu", "pids"):
        (tmp_path / "cgroup" / controller).mkdir(parents=True)
    group = a_group(tmp_path, "4:memory:/docker\n3:cpu:/\n0::/\n", **LIMITS)
    assert files(tmp_path / "cgroup") == {
        "memory/docker/job/memory.limit_in_bytes": "1000",
        "memory/docker/job/memory.memsw.limit_in_bytes": "1000",
        "cpu/job/cpu.cfs_period_us": "100000",
        "cpu/job/cpu.cfs_quota_us": "150000",
        "pids/job/pids.max": "16384",
    }
    group.join(42)
    assert [Path(path, "cgroup.procs").read_text() for path in group.paths] == ["42", "42", "42"]


def test_without_limits_of_its_own_a_host_has_that_of_processes(tmp_path: Path) -> None:
    (tmp_path / "cgroup").mkdir()
    group = a_group(tmp_path, "0::/\n")
    assert (group.memory, group.cpu, group.processes) == (None, None, str(tmp_path / "cgroup" / "job"))
    assert files(tmp_path / "cgroup" / "job") == {"pids.max": "16384"}


def test_version_1_with_some_controllers_only(tmp_path: Path) -> None:
    (tmp_path / "cgroup" / "pids").mkdir(parents=True)
    group = a_group(tmp_path, "7:pids:/\n0::/\n", **LIMITS)
    assert (group.memory, group.cpu, group.processes) == (None, None, str(tmp_path / "cgroup" / "pids" / "job"))


def test_refused_forks_are_counted(tmp_path: Path) -> None:
    assert Group(None, None, str(tmp_path)).refused_forks() == 0
    (tmp_path / "pids.events").write_text("max 3\n")
    assert Group(None, None, str(tmp_path)).refused_forks() == 3
    assert Group(None, None).refused_forks() == 0


def test_where_no_group_can_be_made_there_is_none(tmp_path: Path) -> None:
    assert a_group(tmp_path, "0::/user.slice/session.scope\n", **LIMITS).paths == []
    assert a_group(tmp_path, "0::/../outside\n", **LIMITS).paths == []
    assert a_group(tmp_path, "", **LIMITS).paths == []


def test_kills_for_want_of_memory_are_counted_in_both_versions(tmp_path: Path) -> None:
    (tmp_path / "memory.events").write_text("low 0\nmax 7\noom 1\noom_kill 2\n")
    assert Group(str(tmp_path), None).oom_kills() == 2
    (tmp_path / "memory.events").rename(tmp_path / "memory.oom_control")
    assert Group(str(tmp_path), None).oom_kills() == 2
    assert Group(None, None).oom_kills() == 0


def test_the_memory_of_this_process_is_counted() -> None:
    assert used_bytes(os.getpid(), limit_bytes=1 << 60) > 1 << 20
    assert used_bytes(2**22 + 1, limit_bytes=1) == 0


def test_a_directory_with_room_is_not_full(tmp_path: Path) -> None:
    assert not is_full(str(tmp_path))
    assert not is_full(str(tmp_path / "absent"))


def test_a_status_is_json_whatever_the_words_in_it() -> None:
    detail = 'a "quoted" \\ path\n\x00 ü \ud800'
    status = json.loads(status_json(started_at=1.5, ended_at=None, detail=detail, exit_codes={"algo-1": 3}))
    assert status == {"started_at": 1.5, "ended_at": None, "reason": "", "detail": detail, "exit_codes": {"algo-1": 3}}


def test_a_tree_is_removed_whatever_its_names_and_links(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / "file").touch()
    tree = tmp_path / "tree"
    for name in ("1/a", "a/b/c", "0", "b"):
        (tree / name).mkdir(parents=True)
        (tree / name / "file").touch()
    interrupted = tmp_path / ".removed-tree" / "0" / "left"
    interrupted.mkdir(parents=True)
    (tree / "a" / "link").symlink_to(kept)
    remove_tree(tree)
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]
    assert (kept / "file").exists()


def test_a_tree_may_be_removed_by_several_at_once(tmp_path: Path) -> None:
    """The end of a failed deployment and the deletion of its endpoint forgot one workload in the same moment."""
    for round_ in range(20):
        tree = tmp_path / "tree"
        for name in range(20):
            (tree / str(name) / "below").mkdir(parents=True)
        with ThreadPoolExecutor(4) as pool:
            for ended in [pool.submit(remove_tree, tree) for _ in range(4)]:
                ended.result()
        assert list(tmp_path.iterdir()) == [], round_
