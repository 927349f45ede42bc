"""Tar archives: `ports.archives.Archives` with the standard library, in a thread."""

from sagehouse.storage.archives.adapter import TarArchives

__all__ = ["TarArchives"]
