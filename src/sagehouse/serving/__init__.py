"""The data plane: an endpoint's requests, passed as bytes to the replica that is to answer them.

`Router` is the adapter of `ports.serving.Serving`. It is told its routes; it never asks the catalog.
"""
