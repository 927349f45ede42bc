"""The AWS protocols: bytes to plain documents and back, driven by the service models. Pure: no I/O, no clock.

`identify` says which operation, `protocol` parses and serializes, `validate` checks, `errors` spells what went wrong.
"""
