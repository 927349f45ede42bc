"""Predictions associated with their records."""

import json

import pytest

from sagehouse.domain.transform.processing import Processing, format_of
from sagehouse.domain.transform.selection import Selection
from sagehouse.kit.errors import Invalid


def processing(input_filter="$", output_filter="$", *, is_joined=False, form="csv", output=None) -> Processing:
    return Processing(
        input_filter=Selection.parse(input_filter),
        output_filter=Selection.parse(output_filter),
        is_joined=is_joined,
        input_format=form,
        output_format=output or form,
    )


def test_an_id_column_is_kept_from_the_model_and_stored_with_the_prediction():
    job = processing("$[1:]", "$[0,-1]", is_joined=True)
    assert job.request(b"id1,5,6\nid2,7,8\n") == b"5,6\n7,8\n"
    assert job.result(b"id1,5,6\nid2,7,8\n", b"0.1\n0.9\n") == b"id1,0.1\nid2,0.9\n"


def test_csv_joins_all_columns_of_the_prediction_behind_the_input():
    assert processing(is_joined=True).result(b"a,1\n", b"0.2,0.8\n") == b"a,1,0.2,0.8\n"


def test_quoted_csv_stays_one_column():
    job = processing("$[1:]", is_joined=True)
    assert job.request(b'"x, y",2,"say ""hi"""') == b'2,"say ""hi"""'
    assert job.result(b'"x, y",2\n', b"1") == b'"x, y",2,1\n'


def test_a_single_column_is_still_a_row():
    assert processing(output_filter="$[0]", is_joined=True).result(b"id1,2\n", b"0.5\n") == b"id1\n"


def test_a_json_object_gets_the_prediction_as_a_member():
    job = processing("$.features", "$['id','SageMakerOutput']", is_joined=True, form="jsonlines")
    records = b'{"id": 1, "features": [1, 2]}\n{"id": 2, "features": [3, 4]}\n'
    assert job.request(records) == b"[1, 2]\n[3, 4]\n"
    assert job.result(records, b'{"p": 0.1}\n{"p": 0.9}\n') == (
        b'{"id": 1, "SageMakerOutput": {"p": 0.1}}\n{"id": 2, "SageMakerOutput": {"p": 0.9}}\n'
    )


def test_json_that_is_no_object_is_put_under_a_name_of_its_own():
    stored = processing(is_joined=True, form="json").result(b"[1, 2]", b"[0.5]")
    assert json.loads(stored) == {"SageMakerInput": [1, 2], "SageMakerOutput": [0.5]}


def test_an_output_filter_alone_selects_from_the_prediction():
    job = processing(output_filter="$.p", form="csv", output="jsonlines")
    assert job.result(b"1\n2\n", b'{"p": 1}\n{"p": 2}\n') == b"1\n2\n"


def test_records_and_predictions_of_different_number_cannot_be_joined():
    with pytest.raises(Invalid, match="answered 2 input records with 1"):
        processing(is_joined=True).result(b"1\n2\n", b"0.5\n")


def test_an_index_outside_the_joined_record_is_an_error():
    with pytest.raises(Invalid, match=r"\$\[9\]"):
        processing(output_filter="$[9]", is_joined=True).result(b"1\n", b"0.5\n")


def test_a_record_that_is_no_json_is_an_error():
    with pytest.raises(Invalid, match="not valid jsonlines"):
        processing("$.a", form="jsonlines").request(b"{broken\n")


@pytest.mark.parametrize(
    ("media_type", "form"),
    [
        ("text/csv", "csv"),
        ("Text/CSV; charset=utf-8", "csv"),
        ("application/json", "json"),
        ("application/jsonlines", "jsonlines"),
        ("application/x-npy", None),
        ("", None),
    ],
)
def test_the_format_of_a_content_type(media_type, form):
    assert format_of(media_type) == form
