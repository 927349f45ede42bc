"""Install packages with uv from where pip would: python scripts/install.py ARGUMENTS of uv pip install."""

import os
import sys
from pathlib import Path

import uv

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "src"))

from sagehouse.runtimes.indexes import pip_settings, uv_environment, uv_options  # noqa: E402 - is what is installed here

settings = pip_settings()
command = [uv.find_uv_bin(), "pip", "install", "--quiet", *uv_options(settings), *sys.argv[1:]]
os.execve(command[0], command, uv_environment(settings, cache=ROOT / ".cache" / "uv"))  # noqa: S606 - a list
