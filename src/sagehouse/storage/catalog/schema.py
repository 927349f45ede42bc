"""The tables, as a list of migrations that only ever grows. SQL in the subset PostgreSQL shares.

What PostgreSQL would spell differently: TEXT keys want COLLATE "C", `document` would be JSONB, `position` a BIGSERIAL.
"""

import sqlite3

from sagehouse.kit.errors import Unavailable

MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        """
        CREATE TABLE resources (
            account TEXT NOT NULL,
            region TEXT NOT NULL,
            kind TEXT NOT NULL,
            name_key TEXT NOT NULL,
            name TEXT NOT NULL,
            arn TEXT NOT NULL,
            arn_key TEXT NOT NULL,
            parent TEXT NOT NULL,
            status TEXT NOT NULL,
            version BIGINT NOT NULL,
            created_at DOUBLE PRECISION NOT NULL,
            modified_at DOUBLE PRECISION NOT NULL,
            document TEXT NOT NULL,
            PRIMARY KEY (account, region, kind, name_key)
        )
        """,
        "CREATE UNIQUE INDEX resources_by_arn ON resources (arn_key)",
        "CREATE INDEX resources_by_created ON resources (account, region, kind, created_at, name_key)",
        "CREATE INDEX resources_by_modified ON resources (account, region, kind, modified_at, name_key)",
        "CREATE INDEX resources_by_status ON resources (account, region, kind, status, name_key)",
        "CREATE INDEX resources_by_status_created ON resources (account, region, kind, status, created_at, name_key)",
        "CREATE INDEX resources_by_parent ON resources (account, region, kind, parent, created_at, name_key)",
        "CREATE INDEX resources_unfinished ON resources (kind, status, created_at, name_key)",
        """
        CREATE TABLE tags (
            arn_key TEXT NOT NULL,
            tag_key TEXT NOT NULL,
            tag_value TEXT NOT NULL,
            position BIGINT NOT NULL,
            PRIMARY KEY (arn_key, tag_key)
        )
        """,
        """
        CREATE TABLE story (
            position INTEGER PRIMARY KEY,
            arn_key TEXT NOT NULL,
            arn TEXT NOT NULL,
            told_at DOUBLE PRECISION NOT NULL,
            who TEXT NOT NULL,
            from_status TEXT NOT NULL,
            to_status TEXT NOT NULL,
            why TEXT NOT NULL
        )
        """,
        "CREATE INDEX story_by_arn ON story (arn_key, position)",
    ),
)
"""Migration n brings a database of version n to version n + 1."""


def migrate(connection: sqlite3.Connection) -> None:
    """Bring the database to the newest version, all or nothing; Unavailable if a newer sagehouse wrote it."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        connection.execute("CREATE TABLE IF NOT EXISTS migrations (version BIGINT PRIMARY KEY)")
        version = connection.execute("SELECT COALESCE(MAX(version), 0) FROM migrations").fetchone()[0]
        if version > len(MIGRATIONS):
            raise Unavailable(
                f"The catalog has schema version {version}, this sagehouse knows {len(MIGRATIONS)}: "
                "it was written by a newer sagehouse. Install that one, or choose another data directory."
            )
        for number, statements in enumerate(MIGRATIONS[version:], start=version + 1):
            for statement in statements:
                connection.execute(statement)
            connection.execute("INSERT INTO migrations (version) VALUES (?)", (number,))
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
