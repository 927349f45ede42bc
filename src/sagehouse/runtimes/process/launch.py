"""The command that runs a module of this package in a bare interpreter, without importing the control plane."""

from pathlib import Path

PACKAGES = ("sagehouse", "sagehouse.runtimes", "sagehouse.runtimes.process")
SOURCE = """\
import sys
folder = sys.argv.pop(1)
for name in {packages!r}:
    package = type(sys)(name)
    package.__path__ = [folder + name[len("sagehouse"):].replace(".", "/")]
    sys.modules[name] = package
from sagehouse.runtimes.process.{module} import main
main()
"""


def bare_command(interpreter: str, module: str, *arguments: str) -> list[str]:
    """Return the command. -I -S -E: no site, no user directory, no PYTHON* variables; 7 ms instead of 20."""
    source = SOURCE.format(packages=PACKAGES, module=module)
    return [interpreter, "-I", "-S", "-E", "-c", source, str(Path(__file__).parents[2]), *arguments]
