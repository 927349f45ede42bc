"""S3 objects at rest: immutable files and an SQLite index of them."""
