"""S3 objects at rest: immutable files, and an SQLite index that says which of them are objects."""

from sagehouse.storage.objects.store import ObjectStore

__all__ = ["ObjectStore"]
