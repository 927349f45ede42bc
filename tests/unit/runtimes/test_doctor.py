"""What the doctor says is what jobs get."""

from pathlib import Path

from tests.unit.runtimes.jobs import a_shell_job, output, run

from sagehouse.ports.runtime import Mount
from sagehouse.runtimes.process.doctor import doctor


def test_overlays_are_said_to_be_shared_exactly_when_jobs_have_them(tmp_path: Path) -> None:
    """It once tried an overlay as a user whom no map names, and told root that inputs are copied."""
    shared = tmp_path / "shared"
    shared.mkdir()
    mount = Mount(source=shared, target="/mnt/shared", access="overlay")
    run(a_shell_job(tmp_path / "job", "grep -c ' /mnt/shared .* - overlay ' /proc/self/mountinfo", mounts=(mount,)))
    has_overlay = output(tmp_path / "job") == "1\n"
    [finding] = [finding for finding in doctor(tmp_path / "jobs") if "overlays" in finding.text]
    assert ("shared by overlays" in finding.text) == has_overlay
