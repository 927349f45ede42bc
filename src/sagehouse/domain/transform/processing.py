"""DataProcessing: what of a record the model sees, and what of record and prediction is kept.

Source: developer guide, "Associate Prediction Results with Input Records"; API reference, DataProcessing.
"""

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from sagehouse.domain.transform.selection import Nothing, Selection
from sagehouse.kit.errors import Invalid
from sagehouse.kit.json_text import read_json

Format: TypeAlias = Literal["csv", "json", "jsonlines"]

_FORMATS: dict[str, Format] = {
    "text/csv": "csv",
    "application/json": "json",
    "application/jsonlines": "jsonlines",
    "application/x-jsonlines": "jsonlines",
    "application/json-lines": "jsonlines",
}


def format_of(media_type: str) -> Format | None:
    """Return the format of a content type, whatever its parameters and case; None for others."""
    return _FORMATS.get(media_type.split(";", 1)[0].strip().lower())


@dataclass(frozen=True, slots=True, kw_only=True)
class Processing:
    """Filters and join of one job. Made only for jobs that ask for one of them."""

    input_filter: Selection
    output_filter: Selection
    is_joined: bool
    input_format: Format
    output_format: Format

    def request(self, payload: bytes) -> bytes:
        """Return the part of a payload that the model gets."""
        if self.input_filter.is_everything:
            return payload
        records = _read(payload, self.input_format)
        kept = _write([_select(self.input_filter, record) for record in records], self.input_format)
        return kept if payload.endswith(b"\n") else kept.removesuffix(b"\n")

    def result(self, payload: bytes, prediction: bytes) -> bytes:
        """Return what is stored for a payload and the model's answer to it.

        Invalid if they do not have the same number of records, or the output filter names what a record has not.
        """
        predicted = _read(prediction, self.output_format)
        joined = self._join(_read(payload, self.input_format), predicted) if self.is_joined else predicted
        return _write([_select(self.output_filter, record) for record in joined], self.output_format)

    def _join(self, records: Sequence[Any], predicted: Sequence[Any]) -> list[Any]:
        if len(records) != len(predicted):
            raise Invalid(
                f"The model answered {len(records)} input records with {len(predicted)}; they cannot be joined. "
                "Let it answer each record with one, or set BatchStrategy to SingleRecord."
            )
        return [_joined(record, prediction) for record, prediction in zip(records, predicted, strict=True)]


def _joined(record: Any, prediction: Any) -> Any:
    if isinstance(record, list) and isinstance(prediction, _Row):
        return _Row([*record, *prediction])
    if isinstance(record, dict):
        return {**record, "SageMakerOutput": prediction}
    return {"SageMakerInput": record, "SageMakerOutput": prediction}


class _Row(list[Any]):
    """A line of CSV, which joins as columns, unlike a JSON array."""


def _select(selection: Selection, record: Any) -> Any:
    try:
        chosen = selection.of(record)
    except Nothing:
        raise Invalid(
            f"The JSONPath expression {selection.expression!r} selects what a record does not have."
        ) from None
    if isinstance(record, _Row) and not isinstance(chosen, _Row):
        return _Row(chosen if isinstance(chosen, list) else [chosen])
    return chosen


def _read(data: bytes, form: Format) -> list[Any]:
    try:
        text = data.decode("utf-8")
        match form:
            case "csv":
                return [_Row(row) for row in csv.reader(io.StringIO(text, newline="")) if row]
            case "jsonlines":
                return [read_json(line) for line in text.split("\n") if line.strip()]
            case "json":
                return [read_json(text)]
    except (ValueError, csv.Error) as problem:
        raise Invalid(f"A record is not valid {form}: {problem}") from problem


def _write(records: Sequence[Any], form: Format) -> bytes:
    """CSV and JSON Lines end every record with a line break, so that answers can be put one after another."""
    if form == "csv":
        lines = io.StringIO(newline="")
        csv.writer(lines, lineterminator="\n").writerows(records)
        return lines.getvalue().encode()
    texts = [json.dumps(record, ensure_ascii=False) for record in records]
    return ("".join(f"{text}\n" for text in texts) if form == "jsonlines" else "".join(texts)).encode()
