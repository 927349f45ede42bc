"""What a house is told at start. Read once, passed on as values."""

import os
from dataclasses import dataclass
from pathlib import Path

from sagehouse.activation import home_directory

DEFAULT_PORT = 5100
DEFAULT_ACCOUNT = "123456789012"
DEFAULT_REGION = "us-east-1"
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    home: Path
    host: str = "127.0.0.1"
    port: int = DEFAULT_PORT
    """0 takes a free one."""
    account: str = DEFAULT_ACCOUNT
    region: str = DEFAULT_REGION
    """For requests that name none; every region works."""
    environments: Path
    """Where job environments are kept; shared by houses of the same user."""
    may_reset: bool = False
    is_strict: bool = False
    """Refuse an image whose exact framework version cannot be installed here."""

    @property
    def authority(self) -> Path:
        return self.home / "authority"

    @property
    def bundle(self) -> Path:
        return self.authority / "bundle.pem"

    @property
    def jobs(self) -> Path:
        return self.home / "jobs"


def environments_directory(home: Path) -> Path:
    """Return where the job environments of a house are kept."""
    return Path(os.environ.get("SAGEHOUSE_ENVIRONMENTS") or home / "environments").expanduser().absolute()


def config_from(
    *, home: Path | None, host: str, port: int, may_reset: bool, is_strict: bool, region: str | None = None
) -> Config:
    """Return the configuration of one start; SAGEHOUSE_HOME and SAGEHOUSE_ENVIRONMENTS fill what is not given."""
    directory = home_directory(home)
    return Config(
        home=directory,
        host=host,
        port=port,
        region=region or DEFAULT_REGION,
        environments=environments_directory(directory),
        may_reset=may_reset,
        is_strict=is_strict,
    )
