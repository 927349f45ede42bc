"""Names of content types."""

from sagehouse.toolkit.arrays import ANY, CSV, JSON, NPY, NPZ

OCTET_STREAM = "application/octet-stream"
UTF8_TYPES = [JSON, CSV]

__all__ = ["ANY", "CSV", "JSON", "NPY", "NPZ", "OCTET_STREAM", "UTF8_TYPES"]
