"""Where this user's packages come from, as pip is told: its variables and configuration files, put to uv.

uv reads its own settings (UV_INDEX_URL, uv.toml) by itself, but nothing of pip's, which organisations have set up.
Source: pip's documentation, "Configuration"; uv's, "Compatibility with pip".
"""

import configparser
import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

LISTS = ("extra-index-url", "find-links", "trusted-host")
SINGLES = ("index-url", "no-index", "cert")


def pip_settings(environ: Mapping[str, str] = os.environ) -> dict[str, list[str]]:
    """Return pip's settings by option name: variables before the user's file before the machine's."""
    settings: dict[str, list[str]] = {}
    for path in _files(environ):
        parser = configparser.RawConfigParser()
        try:
            parser.read_string(path.read_text())
        except (OSError, configparser.Error, UnicodeDecodeError):
            continue  # a file that is absent or that pip could not read either
        for section in ("global", "install"):
            for name, value in parser.items(section) if parser.has_section(section) else ():
                settings[name] = value.split()
    for name in (*LISTS, *SINGLES):
        if words := environ.get(f"PIP_{name.upper().replace('-', '_')}", "").split():
            settings[name] = words
    return {name: settings[name] for name in (*LISTS, *SINGLES) if settings.get(name)}


def _files(environ: Mapping[str, str]) -> list[Path]:
    """Return pip's configuration files, the strongest last."""
    if environ.get("PIP_CONFIG_FILE") == os.devnull:
        return []
    home = _home(environ)
    folders = environ.get("XDG_CONFIG_DIRS", "/etc/xdg").split(os.pathsep)
    machine = [Path(folder, "pip", "pip.conf") for folder in reversed(folders) if folder] + [Path("/etc/pip.conf")]
    user = [home / ".pip/pip.conf", Path(environ.get("XDG_CONFIG_HOME") or home / ".config", "pip/pip.conf")]
    given = [Path(environ["PIP_CONFIG_FILE"])] if environ.get("PIP_CONFIG_FILE") else []
    return [*machine, *user, Path(sys.prefix, "pip.conf"), *given]


def uv_options(settings: Mapping[str, list[str]]) -> list[str]:
    """Return the options of `uv pip install` that mean the same."""
    options: list[str] = []
    for folder in settings.get("find-links", []):
        options += ["--find-links", folder if "://" in folder else str(Path(folder).absolute())]
    if settings.get("no-index", ["0"])[0].lower() in {"1", "true", "yes", "on"}:
        return [*options, "--no-index"]
    for url in settings.get("index-url", [])[:1]:
        options += ["--index-url", url]
    for url in settings.get("extra-index-url", []):
        options += ["--extra-index-url", url]
    if "extra-index-url" in settings:
        options += ["--index-strategy", "unsafe-best-match"]  # as pip: every index counts, the best version wins
    for host in settings.get("trusted-host", []):
        options += ["--allow-insecure-host", host]
    return options


def uv_environment(
    settings: Mapping[str, list[str]], environ: Mapping[str, str] = os.environ, *, cache: Path
) -> dict[str, str]:
    """Return the variables uv is run with: the user's own, and pip's certificate bundle unless uv has one.

    `cache` is where uv keeps what it has downloaded if this user's home directory is missing or cannot be written.
    """
    variables = {name: value for name, value in environ.items() if name not in {"VIRTUAL_ENV", "PYTHONPATH"}}
    if "cert" in settings:
        variables.setdefault("SSL_CERT_FILE", settings["cert"][0])
    if not _is_made(Path(environ.get("XDG_CACHE_HOME") or _home(environ) / ".cache", "uv")):
        variables.setdefault("UV_CACHE_DIR", str(cache))
    return variables


def _home(environ: Mapping[str, str]) -> Path:
    """Return this user's home directory; somewhere that is not there if they have none."""
    try:
        return Path(environ.get("HOME") or Path.home())
    except RuntimeError:
        return Path("/nonexistent")


def _is_made(directory: Path) -> bool:
    """Make the directory; whether it is there and can be written."""
    with suppress(OSError):
        directory.mkdir(parents=True, exist_ok=True)
    return os.access(directory, os.W_OK | os.X_OK)
