"""The same isolation for an ordinary user, without any right of root; and clear words where it is not to be had."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.unit.runtimes.jobs import a_shell_job, run, supervise_after

import sagehouse
from sagehouse.runtimes.process.doctor import doctor

SOMEBODY = 54321
"""A user id nobody has."""

SCENE = """
import json, os, sys
from pathlib import Path
from tests.unit.runtimes.jobs import PYTHON, a_job, a_shell_job, output, run
from sagehouse.ports.runtime import Mount
folder = Path(sys.argv[1])
shared = folder / "shared"
shared.mkdir()
(shared / "data.csv").write_text("original")
(folder / "secret").write_text("SECRET")
mounts = (Mount(source=shared, target="/opt/ml/input/data/train", access="overlay"),)
script = '''id -u; hostname; cat /opt/ml/input/data/train/data.csv; echo
echo changed > /opt/ml/input/data/train/data.csv; cat /opt/ml/input/data/train/data.csv
echo 42 > /opt/ml/model; cat %s/secret; touch /usr/x; mount -t tmpfs none /mnt
cd /tmp && mkdir a && touch a/b && tar --owner=7 --group=7 -cf a.tar a && tar -xf a.tar && echo untarred
mkdir -p /tmp/c/d && chmod 0 /tmp/c/d /tmp/c; kill -9 1; echo alive''' % folder
seen = run(a_shell_job(folder / "one", script, mounts=mounts))
two = run(a_shell_job(folder / "two", "exit 3", hosts=2, is_network_isolated=True))
hog = "hog = []\\nwhile True: hog.append(bytearray(b'x') * (8 << 20))"
oom = run(a_job(folder / "three", PYTHON, "-c", hog, memory_limit_bytes=100 << 20))
left = [str(path.relative_to(folder)) for path in folder.glob("*/state/*")]
print(json.dumps({
    "user": os.getuid(), "codes": dict(seen.exit_codes), "detail": seen.detail, "output": output(folder / "one"),
    "shared": (shared / "data.csv").read_text(), "model": (folder / "one" / "ml" / "model").read_text(),
    "two": sorted(two.exit_codes), "oom": oom.reason, "left": left,
}))
"""


@pytest.fixture
def home() -> Iterator[Path]:
    """A directory of the user's own, with the code in it: the checkout may be closed to others."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        home = Path(folder)
        shutil.copytree(Path(str(sagehouse.__path__[0])), home / "src" / "sagehouse", ignore=_not_needed)
        shutil.copytree(Path(__file__).parent, home / "src" / "tests" / "unit" / "runtimes")
        (home / "work").mkdir()
        if os.geteuid() == 0:
            for path in (home, *home.rglob("*")):
                os.chown(path, SOMEBODY, SOMEBODY)
        yield home


def _not_needed(folder: str, names: list[str]) -> list[str]:
    top = Path(folder).name
    return [name for name in names if name == "__pycache__" or (top == "sagehouse" and name not in WANTED)]


WANTED = {"kit", "ports", "runtimes"}


def interpreters() -> list[str]:
    """Interpreters that another user can run and that this code runs on."""
    return [sys.executable, os.path.realpath(sys.executable), *(f"/usr/bin/python3.{n}" for n in (11, 12, 13))]


def as_somebody(home: Path, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    user = {"user": SOMEBODY, "group": SOMEBODY, "extra_groups": []} if os.geteuid() == 0 else {}
    for interpreter in interpreters():
        try:
            return subprocess.run(
                [interpreter, "-c", program, *arguments],
                cwd=home,
                env={"PYTHONPATH": f"{home}/src", "HOME": str(home), "PATH": os.defpath},
                capture_output=True,
                text=True,
                check=False,
                **user,  # type: ignore[call-overload]  # a TypedDict would say no more
            )
        except OSError:
            continue
    pytest.skip("no Python 3.11 or later here that another user may run")


def test_an_ordinary_user_has_the_same_isolation(home: Path) -> None:
    done = as_somebody(home, SCENE, str(home / "work"))
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    assert seen["user"] != 0 or os.geteuid() != 0
    assert seen["codes"] == {"algo-1": 0}, seen
    lines = seen["output"].splitlines()
    assert lines[:4] == ["0", "algo-1", "original", "changed"]
    assert lines[-2:] == ["untarred", "alive"]
    assert "SECRET" not in seen["output"]
    assert seen["output"].count("Read-only file system") == 1
    assert (seen["shared"], seen["model"], seen["left"]) == ("original", "42\n", [])
    assert (seen["two"], seen["oom"]) == (["algo-1", "algo-2"], "out_of_memory")


REFUSED = """
import json, os, sys
from pathlib import Path
from sagehouse.runtimes.process import kernel
kernel.unshare(kernel.NEWUSER | kernel.NEWNS)
for name, text in (("setgroups", "deny"), ("uid_map", f"0 {os.getuid()} 1"), ("gid_map", f"0 {os.getgid()} 1")):
    try:
        Path("/proc/self", name).write_text(text)
    except OSError:
        pass
Path("/proc/sys/user/max_user_namespaces").write_text("0")
kernel.keep_capabilities(frozenset())
from tests.unit.runtimes.jobs import a_shell_job, run
from sagehouse.runtimes.process.doctor import doctor
seen = run(a_shell_job(Path(sys.argv[1]), "true"))
found = [finding.fix for finding in doctor(Path(sys.argv[1])) if not finding.is_fine]
print(json.dumps([seen.reason, seen.detail, found]))
"""


def test_without_user_namespaces_the_reason_says_how_to_get_them(home: Path) -> None:
    done = as_somebody(home, REFUSED, str(home / "work"))
    assert done.returncode == 0, done.stderr
    reason, detail, found = json.loads(done.stdout)
    assert reason == "failed_to_start"
    assert "sysctl" in detail
    assert len(found) == 1
    assert "sysctl" in found[0]


NO_USER_NAMESPACES = """
allowed = kernel.unshare
def unshare(flags):
    if flags & kernel.NEWUSER:
        raise OSError(28, "No space left on device", "unshare")
    allowed(flags)
kernel.unshare = unshare
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can do without user namespaces")
def test_root_does_without_user_namespaces_where_they_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    supervise_after(monkeypatch, NO_USER_NAMESPACES)
    attacks = (
        "touch /usr/x",
        "mount -t tmpfs none /mnt",
        "echo x > /proc/sys/kernel/core_pattern",
        "mknod /tmp/d b 8 0",
    )
    script = " || ".join(f"({attack})" for attack in attacks)
    seen = run(a_shell_job(tmp_path, script))
    assert seen.reason == "exited"
    assert seen.exit_codes["algo-1"] != 0


def test_the_doctor_finds_this_machine_fit(tmp_path: Path) -> None:
    found = doctor(tmp_path / "jobs", linked=[tmp_path / "objects"])
    assert [finding.text for finding in found if finding.is_needed and not finding.is_fine] == []
    assert "linked" in found[-1].text
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
