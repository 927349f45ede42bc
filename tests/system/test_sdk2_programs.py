"""Programs of the SageMaker Python SDK 2.x, unmodified: each promise of tests/system/programs/sdk2_*.py is a test.

The programs run side by side in interpreters of their own against one house, and every one of them only once.
"""

import ast
import json
import subprocess
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import pytest
from tests.system.conftest import ROOT, SDK2, RunningHouse

PROGRAMS = ROOT / "tests" / "system" / "programs"
NAMES = (
    "sdk2_abalone",
    "sdk2_hosting",
    "sdk2_pipelines",
    "sdk2_training",
    "sdk2_transform",
    "sdk2_refusals",
    "sdk2_processing",
    "sdk2_xgboost",
    "sdk2_scripts",
    "sdk2_registry",
    "sdk2_session",
)
"""The longest first."""
AT_ONCE = 2
DATA = {"sdk2_abalone": ROOT.parent / "shared" / "data" / "abalone.csv"}
"""Real data that is no part of the project; a program that needs it is skipped where it is absent."""
LAB = ("run", "--no-fast-polling", "--", str(SDK2), str(ROOT / "examples" / "script_mode" / "iris.py"))
pytestmark = pytest.mark.system


@dataclass(frozen=True)
class Outcome:
    promises: Mapping[str, str]
    """Name -> "" if it was kept, else the traceback."""
    rest: str
    """Everything else the program said."""


def promises_of(program: str) -> list[str]:
    """Return the names of the functions a program promises, without running it."""
    tree = ast.parse((PROGRAMS / f"{program}.py").read_text())
    return [
        node.name
        for node in tree.body
        if isinstance(node, ast.FunctionDef)
        and any(isinstance(mark, ast.Name) and mark.id == "promise" for mark in node.decorator_list)
    ]


def outcome_of(house: RunningHouse, program: str) -> Outcome:
    data = [DATA[program]] if program in DATA else []
    if not all(path.exists() for path in data):
        return Outcome({}, f"{data} absent")
    ended = house.run(SDK2, PROGRAMS / f"{program}.py", ".", *data, check=False)
    told = [json.loads(line) for line in ended.stdout.splitlines() if line.startswith('{"promise"')]
    promises = {one["promise"]: one["error"] for one in told}
    return Outcome(promises, f"exit {ended.returncode}\n{ended.stderr[-4000:]}")


@dataclass(frozen=True)
class Running:
    """What was started for the chosen tests."""

    programs: Mapping[str, Future[Outcome]]
    lab: Future[subprocess.CompletedProcess[str]] | None


@pytest.fixture(scope="module")
def running(shared_house: RunningHouse, request: pytest.FixtureRequest) -> Iterator[Running]:
    """Start what the chosen tests ask about, the lab beside the others: it sleeps most of its time."""
    shared_house.reset()
    mine = [item for item in request.session.items if isinstance(item, pytest.Function) and item.path == request.path]
    chosen = {item.callspec.params["program"] for item in mine if "promise" in item.fixturenames}
    is_unhurried = any("promise" not in item.fixturenames for item in mine)
    with ThreadPoolExecutor(AT_ONCE) as pool, ThreadPoolExecutor(1) as aside:
        programs = {name: pool.submit(outcome_of, shared_house, name) for name in NAMES if name in chosen}
        lab = aside.submit(shared_house.cli, *LAB) if is_unhurried else None
        yield Running(programs, lab)
        pool.shutdown(cancel_futures=True)


@pytest.mark.parametrize(("program", "promise"), [(name, promise) for name in NAMES for promise in promises_of(name)])
def test_promise(running: Running, program: str, promise: str) -> None:
    if program in DATA and not DATA[program].exists():
        pytest.skip(f"{DATA[program]}, a data set that is no part of the project, is not on this machine")
    outcome = running.programs[program].result()
    assert promise in outcome.promises, outcome.rest
    error = outcome.promises[promise]
    assert not error, error


def test_a_program_with_the_sdks_own_waits_ends_well(running: Running) -> None:
    """Nothing shortens the SDK's polling here: it sleeps 5 to 30 s between two looks."""
    assert running.lab is not None
    ended = running.lab.result()
    assert "cleaned up" in ended.stdout
    assert "Completed - Training job completed" in ended.stdout
