"""RecordIO with SageMaker's protobuf Record inside: read features and labels, write named results.

Source: SageMaker developer guide, "Common data formats for training": record.proto; MXNet RecordIO framing.
"""

import struct

_MAGIC = 0xCED7230A
_FLOAT32, _FLOAT64, _INT32 = 2, 3, 7
_WIDTHS = {_FLOAT32: ("<f", 4), _FLOAT64: ("<d", 8)}


class Tensor:
    """Values, and for sparse tensors their keys and the row's width."""

    __slots__ = ("keys", "shape", "values")

    def __init__(self, values, keys, shape):
        self.values = values
        self.keys = keys
        self.shape = shape


def records(data):
    """Yield (features, labels) of every record, each a dict of name -> Tensor. ValueError if it is no RecordIO."""
    at, parts = 0, []
    while at < len(data):
        if len(data) - at < 8:
            raise ValueError("the data ends in the middle of a record")
        magic, length = struct.unpack_from("<II", data, at)
        if magic != _MAGIC:
            raise ValueError("there is no RecordIO record at byte %d" % at)
        flag, length = length >> 29, length & ((1 << 29) - 1)
        payload = data[at + 8 : at + 8 + length]
        if len(payload) < length:
            raise ValueError("the data ends in the middle of a record")
        at += 8 + (length + 3) // 4 * 4
        parts.append(payload)
        if flag in (0, 3):  # a whole record, or the last part of one
            yield _record(b"".join(parts) if len(parts) == 1 else struct.pack("<I", _MAGIC).join(parts))
            parts = []


def write(rows):
    """Return RecordIO of rows, each a dict of name -> list of numbers, as float32 tensors under "label"."""
    written = b""
    for row in rows:
        record = b"".join(
            _field(2, _field(1, name.encode("utf-8")) + _field(2, _field(_FLOAT32, _field(1, _floats(values)))))
            for name, values in row.items()
        )
        written += struct.pack("<II", _MAGIC, len(record)) + record + b"\0" * (-len(record) % 4)
    return written


def _record(data):
    features, labels = {}, {}
    for number, value in _fields(data):
        if number in (1, 2):
            entry = dict(_fields(value))
            name = entry.get(1, b"").decode("utf-8")
            (features if number == 1 else labels)[name] = _tensor(entry.get(2, b""))
    return features, labels


def _tensor(data):
    for kind, value in _fields(data):
        if kind not in (_FLOAT32, _FLOAT64, _INT32):
            continue
        values, keys, shape = [], [], []
        for number, one in _fields(value):
            if number == 1:
                values += _varints(one) if kind == _INT32 else _reals(one, kind)
            elif number == 2:
                keys += _varints(one)
            elif number == 3:
                shape += _varints(one)
        return Tensor(values, keys, shape)
    return Tensor([], [], [])


def _fields(data):
    """Yield (number, value): bytes of a length-delimited or fixed field, the integer of a varint."""
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        number, wire = tag >> 3, tag & 7
        if wire == 0:
            value, at = _varint(data, at)
        elif wire == 2:
            length, at = _varint(data, at)
            value, at = data[at : at + length], at + length
        elif wire in (1, 5):
            width = 8 if wire == 1 else 4
            value, at = data[at : at + width], at + width
        else:
            raise ValueError("the record is not a SageMaker protobuf record")
        yield number, value


def _varint(data, at):
    value = shift = 0
    while True:
        if at >= len(data):
            raise ValueError("the record is not a SageMaker protobuf record")
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
        shift += 7


def _varints(value):
    if isinstance(value, int):
        return [value]
    found, at = [], 0
    while at < len(value):
        one, at = _varint(value, at)
        found.append(one - (1 << 64) if one >> 63 else one)
    return found


def _reals(value, kind):
    form, width = _WIDTHS[kind]
    return [one[0] for one in struct.iter_unpack(form, value[: len(value) // width * width])]


def _field(number, value):
    return _encoded(number << 3 | 2) + _encoded(len(value)) + value


def _encoded(value):
    out = b""
    while value > 127:
        out += bytes([value & 127 | 128])
        value >>= 7
    return out + bytes([value])


def _floats(values):
    return struct.pack("<%df" % len(values), *values)
