"""The environments, held to their contract, and what uv's adds to it. Packages are wheels made here: no network."""

import asyncio
import io
import os
import shutil
import subprocess
import sys
import tarfile
import time
from dataclasses import replace
from pathlib import Path

import pytest
from tests.contract.environments import HERE, EnvironmentsContract, a_spec
from tests.fakes.environments import FakeEnvironments
from tests.fakes.wheels import a_wheel

from sagehouse.kit.errors import Unavailable
from sagehouse.ports.runtime import Environment, Environments, EnvironmentSpec, Requirements
from sagehouse.runtimes.environments import MARKER, UvEnvironments
from sagehouse.runtimes.indexes import pip_settings, uv_environment, uv_options


@pytest.fixture(autouse=True)
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only place packages come from."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    for name, version in (("anvil", "1.0"), ("anvil", "2.0"), ("hammer", "1.0"), ("pip", "99.0")):
        a_wheel(folder, name, version)
    for name in [name for name in os.environ if name.startswith(("PIP_", "UV_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "cache"))
    return folder


class TestFakeEnvironments(EnvironmentsContract):
    def environments(self) -> Environments:
        return FakeEnvironments(missing=["anvil==3.0"])


class TestUvEnvironments(EnvironmentsContract):
    @pytest.fixture(autouse=True)
    def _root(self, tmp_path: Path) -> None:
        self.root = tmp_path / "environments"

    def environments(self) -> UvEnvironments:
        return UvEnvironments(self.root)

    def test_its_interpreter_and_commands_run_and_pip_is_among_them(self) -> None:
        found = self.ensure(self.environments(), a_spec("anvil==2.0"))
        said = [
            subprocess.run([found.path / "bin" / name, *arguments], capture_output=True, text=True, check=True).stdout
            for name, arguments in (
                ("python", ["-c", "import anvil, sys; print(anvil.version, sys.prefix, sys.base_prefix)"]),
                ("python3", ["-c", "import anvil; print(anvil.version)"]),
                ("anvil", []),
                ("pip", []),
            )
        ]
        assert said == [f"2.0 {found.path} {found.base}\n", "2.0\n", "anvil 2.0\n", "pip 99.0\n"]
        assert found.packages == {"anvil": "2.0", "pip": "99.0"}
        assert (found.site_packages / "anvil.py").is_file()

    def test_the_openmp_of_one_wheel_serves_those_that_expect_the_machines(self, shop: Path) -> None:
        """A fresh Debian has no libgomp, and XGBoost 0.90 would not load there."""
        a_wheel(shop, "forge", "1.0", **{"forge.libs/libgomp-a34b3233.so.1.0.0": "the library"})
        found = self.ensure(self.environments(), a_spec("forge==1.0"))
        assert (found.path / "lib" / "libgomp.so.1").read_text() == "the library"

    def test_more_directories_are_imported_from_after_everything_installed(self, tmp_path: Path) -> None:
        """In an environment that is already there too."""
        more = tmp_path / "more"
        more.mkdir()
        (more / "anvil.py").write_text("version = 'not this one'")
        (more / "tongs.py").write_text("length = 40")
        self.ensure(self.environments(), a_spec("anvil==2.0"))
        found = self.ensure(UvEnvironments(self.root, import_path=[str(more)]), a_spec("anvil==2.0"))
        command = [found.python, "-c", "import anvil, tongs; print(anvil.version, tongs.length)"]
        assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "2.0 40\n"

    def test_an_environment_removed_under_a_house_is_made_again_as_it_was(self, tmp_path: Path) -> None:
        environments = UvEnvironments(self.root, import_path=[str(tmp_path)])
        (tmp_path / "tongs.py").write_text("")
        shutil.rmtree(self.ensure(environments, a_spec("anvil==2.0")).path)
        found = self.ensure(environments, a_spec("anvil==2.0"))
        subprocess.run([found.python, "-c", "import anvil, tongs"], check=True)

    def test_modules_are_compiled_once_for_all_jobs(self) -> None:
        found = self.ensure(self.environments(), a_spec("anvil==2.0"))
        assert list((found.site_packages / "__pycache__").glob("anvil.*.pyc"))

    def test_a_warm_environment_costs_less_than_five_milliseconds(self, shop: Path) -> None:
        environments = self.environments()
        first = self.ensure(environments, a_spec("anvil==2.0"))
        for wheel in shop.iterdir():
            wheel.unlink()

        async def again() -> float:
            took = []
            for _ in range(5):
                before = time.perf_counter()
                assert await environments.ensure(a_spec("anvil==2.0")) == first
                took.append(time.perf_counter() - before)
            return min(took)

        assert asyncio.run(again()) < 0.005

    def test_it_is_built_once_for_all_who_ask_at_once(self) -> None:
        """In this process and in another."""

        async def ask() -> list[Path]:
            both = [UvEnvironments(self.root), UvEnvironments(self.root)]
            found = await asyncio.gather(*(each.ensure(a_spec("anvil==2.0")) for each in both for _ in range(3)))
            return [each.path / MARKER for each in found]

        markers = asyncio.run(ask())
        assert len(set(markers)) == 1
        assert [path.name for path in self.root.iterdir() if path.name != "locks"] == [markers[0].parent.name]

    def test_what_a_crash_left_half_built_is_built_anew(self) -> None:
        environments = self.environments()
        found = self.ensure(environments, a_spec("anvil==2.0"))
        (found.path / MARKER).unlink()
        (found.site_packages / "anvil.py").unlink()
        (found.path / "rubbish").touch()
        again = self.ensure(environments, a_spec("anvil==2.0"))
        assert again == found
        assert (again.site_packages / "anvil.py").exists()
        assert not (again.path / "rubbish").exists()

    def test_an_environment_whose_interpreter_has_left_the_machine_is_built_anew(self) -> None:
        environments = self.environments()
        found = self.ensure(environments, a_spec("anvil==2.0"))
        found.python.unlink()
        found.python.symlink_to("/gone/python")
        assert self.ensure(environments, a_spec("anvil==2.0")).python.exists()

    def test_strict_versions_refuse_the_nearest(self) -> None:
        exact = Requirements(packages=["anvil==3.0"], pythons=HERE)
        nearest = Requirements(packages=["anvil==2.0"], pythons=HERE, note="anvil 2.0 instead of 3.0")
        spec = EnvironmentSpec(name="anvil", alternatives=[exact, nearest])
        with pytest.raises(Unavailable, match=r"anvil==3\.0"):
            self.ensure(UvEnvironments(self.root, is_strict=True), spec)

    def test_an_interpreter_that_is_not_here_is_named_and_the_next_taken(self) -> None:
        found = self.ensure(self.environments(), a_spec("anvil==2.0", pythons=["3.2", *HERE]))
        assert found.packages["anvil"] == "2.0"
        with pytest.raises(Unavailable, match=r"Python 3\.2: none on this machine"):
            self.ensure(self.environments(), a_spec("anvil==2.0", pythons=["3.2"]))

    def test_a_refusal_quotes_the_installer_and_leaves_nothing(self) -> None:
        with pytest.raises(Unavailable, match=r"no version of anvil==3\.0"):
            self.ensure(self.environments(), a_spec("anvil==3.0"))
        assert [path.name for path in self.root.iterdir()] == ["locks"]

    def layered(self, requirements: str, *packages: str, environments: UvEnvironments | None = None) -> Environment:
        spec = replace(a_spec(*(packages or ("anvil==1.0",))), requirements=requirements)
        return self.ensure(environments or self.environments(), spec)

    def test_nothing_is_built_before_it_was_asked_for(self) -> None:
        environments, spec = self.environments(), replace(a_spec("anvil==1.0"), requirements="hammer==1.0\n")
        built = [asyncio.run(environments.is_built(spec))]
        self.ensure(environments, a_spec("anvil==1.0"))
        built.append(asyncio.run(environments.is_built(spec)))
        assert built == [False, False]
        assert asyncio.run(environments.is_built(a_spec("anvil==1.0")))

    def test_the_commands_of_a_layer_run_in_the_layer(self) -> None:
        found = self.layered("hammer==1.0\nanvil==2.0\n")
        said = [
            subprocess.run([found.path / "bin" / name, *arguments], capture_output=True, text=True, check=True).stdout
            for name, arguments in (
                ("python", ["-c", "import sys, hammer; print(sys.prefix)"]),
                ("anvil", []),
                ("hammer", []),
                ("pip", []),
            )
        ]
        assert said == [f"{found.path}\n", "anvil 2.0\n", "hammer 1.0\n", "pip 99.0\n"]
        assert str(found.path).encode() in (found.path / "bin" / "pip").read_bytes()

    def test_a_layer_leaves_the_environment_below_as_it_is(self) -> None:
        base = self.ensure(self.environments(), a_spec("anvil==1.0"))
        self.layered("anvil==2.0\n")
        said = subprocess.run([base.path / "bin" / "anvil"], capture_output=True, text=True, check=True).stdout
        assert said == "anvil 1.0\n"

    def test_a_layer_shares_the_files_of_the_environment_below(self) -> None:
        base = self.ensure(self.environments(), a_spec("anvil==1.0"))
        found = self.layered("hammer==1.0\n")
        assert (found.site_packages / "anvil.py").samefile(base.site_packages / "anvil.py")

    def test_what_a_layer_has_replaced_does_not_live_on_in_its_byte_code(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Byte code of a source of one size and second was taken for the new one's."""
        base = self.ensure(self.environments(), a_spec("anvil==1.0"))
        never_looks = ["--invalidation-mode", "unchecked-hash"]
        subprocess.run([base.python, "-m", "compileall", "-q", "-f", *never_looks, base.site_packages], check=True)
        monkeypatch.setattr("sagehouse.runtimes.environments.compile_packages", lambda *_: None)  # too slow, say
        found = self.layered("anvil==2.0\n")
        assert subprocess.run([found.path / "bin" / "anvil"], capture_output=True, check=True).stdout == b"anvil 2.0\n"

    def test_the_modules_of_a_layer_are_compiled(self) -> None:
        found = self.layered("hammer==1.0\n")
        assert list((found.site_packages / "__pycache__").glob("hammer.*.pyc"))

    def test_a_layer_is_built_once_whoever_asks_and_found_again_without_an_index(self, shop: Path) -> None:
        spec = replace(a_spec("anvil==1.0"), requirements="hammer==1.0\n")

        async def ask() -> list[Path]:
            both = [UvEnvironments(self.root), UvEnvironments(self.root)]
            found = await asyncio.gather(*(each.ensure(spec) for each in both for _ in range(3)))
            return [each.path / MARKER for each in found]

        (marker,) = set(asyncio.run(ask()))
        made = marker.stat().st_ino
        for wheel in shop.iterdir():
            wheel.unlink()
        assert self.layered("hammer==1.0\n").path == marker.parent
        assert marker.stat().st_ino == made

    def test_a_layer_that_a_crash_left_half_is_built_anew(self) -> None:
        found = self.layered("hammer==1.0\n")
        (found.path / MARKER).unlink()
        (found.site_packages / "hammer.py").unlink()
        assert self.layered("hammer==1.0\n") == found
        assert (found.site_packages / "hammer.py").exists()

    def test_requirements_that_only_have_a_source_are_refused_for_building_it_would_run_it(self, shop: Path) -> None:
        witness = shop / "ran"
        setup = (
            f"open({str(witness)!r}, 'w').close()\nfrom setuptools import setup\nsetup(name='tongs', version='1.0')\n"
        )
        with tarfile.open(shop / "tongs-1.0.tar.gz", "w:gz") as tar:
            for name, text in (("setup.py", setup), ("PKG-INFO", "Metadata-Version: 2.1\nName: tongs\nVersion: 1.0\n")):
                member = tarfile.TarInfo(f"tongs-1.0/{name}")
                member.size = len(text)
                tar.addfile(member, io.BytesIO(text.encode()))
        with pytest.raises(Unavailable, match="tongs"):
            self.layered("tongs==1.0\n")
        assert not witness.exists()

    def test_nothing_of_a_strangers_wheel_runs_while_it_is_installed(self, shop: Path) -> None:
        """A .pth file in a wheel runs whenever the environment's interpreter starts."""
        witness = shop / "ran"
        a_wheel(shop, "hook", "1.0", **{"hook.pth": f"import pathlib; pathlib.Path({str(witness)!r}).touch()\n"})
        environments = self.environments()
        found = self.layered("hook==1.0\n", environments=environments)
        self.layered("hook==1.0\n", environments=self.environments())
        assert not witness.exists()
        subprocess.run([found.python, "-c", ""], check=True)
        assert witness.exists()

    def test_what_a_layer_could_not_install_is_not_tried_at_every_job(self, shop: Path) -> None:
        environments = self.environments()
        with pytest.raises(Unavailable, match="nail"):
            self.layered("nail==1.0\n", environments=environments)
        a_wheel(shop, "nail", "1.0")
        with pytest.raises(Unavailable, match="nail"):
            self.layered("nail==1.0\n", environments=environments)
        assert self.layered("nail==1.0\n").packages["nail"] == "1.0"

    def test_a_refused_layer_leaves_nothing(self) -> None:
        with pytest.raises(Unavailable):
            self.layered("nail==1.0\n")
        assert [path.name for path in self.root.iterdir() if "-" in path.name] == []


def test_pips_configuration_is_put_to_uv(tmp_path: Path) -> None:
    (tmp_path / ".config" / "pip").mkdir(parents=True)
    text = (
        "[global]\nindex-url = https://a/simple\nextra-index-url = https://b/simple\n  https://c/simple\ncert=/ca.pem\n"
    )
    (tmp_path / ".config" / "pip" / "pip.conf").write_text(text)
    environ = {"HOME": str(tmp_path), "PIP_FIND_LINKS": "/w1 /w2", "PIP_INDEX_URL": "https://own/simple"}
    settings = pip_settings({**environ, "XDG_CONFIG_DIRS": "/nonexistent"})
    assert uv_options({name: value for name, value in settings.items() if name != "trusted-host"}) == [
        *("--find-links", "/w1", "--find-links", "/w2", "--index-url", "https://own/simple"),
        *("--extra-index-url", "https://b/simple", "--extra-index-url", "https://c/simple"),
        *("--index-strategy", "unsafe-best-match"),
    ]
    assert uv_environment(settings, environ, cache=tmp_path)["SSL_CERT_FILE"] == "/ca.pem"


def test_without_any_configuration_uv_decides(tmp_path: Path) -> None:
    assert pip_settings({"PIP_CONFIG_FILE": os.devnull}) == {}
    assert uv_options({}) == []
    own = {"HOME": str(tmp_path)}
    assert uv_environment({}, {"VIRTUAL_ENV": sys.prefix, **own}, cache=Path("/c")) == own


def test_without_a_home_that_can_be_written_uv_keeps_its_cache_with_the_environments(tmp_path: Path) -> None:
    """Building failed with "Failed to initialize cache" where HOME was read-only, missing or another user's."""
    nowhere = {"HOME": "/proc/none"}
    assert uv_environment({}, nowhere, cache=Path("/c")) == {**nowhere, "UV_CACHE_DIR": "/c"}
    for chosen in ({**nowhere, "UV_CACHE_DIR": "/mine"}, {**nowhere, "XDG_CACHE_HOME": str(tmp_path)}):
        assert uv_environment({}, chosen, cache=Path("/c")) == chosen


def test_a_folder_of_wheels_is_where_pip_would_find_it() -> None:
    assert uv_options({"find-links": ["wheels", "https://a/wheels"]}) == [
        *("--find-links", str(Path("wheels").absolute()), "--find-links", "https://a/wheels")
    ]
