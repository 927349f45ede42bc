"""The catalog in SQLite: `SqliteCatalog` is the adapter of `ports.catalog`. It knows keys and documents, no kinds."""

from sagehouse.storage.catalog.sqlite import SqliteCatalog

__all__ = ["SqliteCatalog"]
