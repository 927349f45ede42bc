"""What a transform job asks for."""

import json

import pytest

from sagehouse.domain.transform.naming import output_key, relative_name
from sagehouse.domain.transform.plan import Plan
from sagehouse.kit.errors import Invalid


def a_request(*, source=None, output=None, **members):
    return {
        "TransformJobName": "score",
        "ModelName": "churn",
        "TransformInput": {
            "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://data/in/"}},
            "ContentType": "text/csv",
            **(source or {}),
        },
        "TransformOutput": {"S3OutputPath": "s3://data/out", **(output or {})},
        "TransformResources": {"InstanceType": "ml.m5.large", "InstanceCount": 1},
        **members,
    }


def parameters(**said) -> bytes:
    return json.dumps(said).encode()


def test_what_nobody_says_has_aws_defaults():
    plan = Plan.from_document(a_request()).with_parameters(b"")
    assert (plan.payload_mb, plan.in_flight, plan.strategy) == (6, 1, "MULTI_RECORD")
    assert (plan.timeout_s, plan.retries, plan.split) == (600, 3, "None")
    assert plan.headers == {"content-type": "text/csv"}


def test_the_model_is_heard_only_on_what_the_request_left_out():
    plan = Plan.from_document(a_request(MaxPayloadInMB=2))
    assert plan.asks_the_model
    said = plan.with_parameters(parameters(MaxConcurrentTransforms=8, BatchStrategy="SINGLE_RECORD", MaxPayloadInMB=6))
    assert (said.payload_mb, said.in_flight, said.strategy) == (2, 8, "SINGLE_RECORD")


def test_a_request_that_says_everything_does_not_ask_the_model():
    plan = Plan.from_document(a_request(MaxPayloadInMB=1, MaxConcurrentTransforms=2, BatchStrategy="MultiRecord"))
    assert not plan.asks_the_model


@pytest.mark.parametrize("answer", [b"<html>", b"[]", parameters(MaxPayloadInMB="six", MaxConcurrentTransforms=-1)])
def test_an_answer_that_makes_no_sense_says_nothing(answer):
    plan = Plan.from_document(a_request()).with_parameters(answer)
    assert (plan.payload_mb, plan.in_flight) == (6, 1)


def test_a_models_parameters_are_kept_within_100_megabytes_under_way():
    plan = Plan.from_document(a_request(MaxPayloadInMB=50)).with_parameters(parameters(MaxConcurrentTransforms=64))
    assert plan.in_flight == 2


def test_the_container_is_told_that_it_serves_a_batch():
    plan = Plan.from_document(
        a_request(MaxPayloadInMB=3, MaxConcurrentTransforms=4, BatchStrategy="SingleRecord", Environment={"MINE": "1"})
    )
    assert plan.batch_environment == {
        "SAGEMAKER_BATCH": "true",
        "SAGEMAKER_MAX_PAYLOAD_IN_MB": "3",
        "SAGEMAKER_BATCH_STRATEGY": "SINGLE_RECORD",
        "SAGEMAKER_MAX_CONCURRENT_TRANSFORMS": "4",
        "MINE": "1",
    }


@pytest.mark.parametrize(
    ("request_", "member"),
    [
        (a_request(DataCaptureConfig={"DestinationS3Uri": "s3://x/"}), "DataCaptureConfig"),
        (a_request(MaxPayloadInMB=0), "MaxPayloadInMB 0"),
        (a_request(MaxPayloadInMB=60, MaxConcurrentTransforms=2), "MaxConcurrentTransforms"),
        (
            a_request(
                source={"DataSource": {"S3DataSource": {"S3DataType": "AugmentedManifestFile", "S3Uri": "s3://a/b"}}}
            ),
            "AugmentedManifestFile",
        ),
        (a_request(DataProcessing={"InputFilter": "$..x"}), "JSONPath"),
        (a_request(source={"ContentType": "image/png"}, DataProcessing={"JoinSource": "Input"}), "image/png"),
        (a_request(source={"SplitType": "RecordIO"}, DataProcessing={"InputFilter": "$[1:]"}), "RecordIO"),
        (
            a_request(output={"Accept": "application/json"}, DataProcessing={"JoinSource": "Input"}),
            "one format",
        ),
    ],
)
def test_what_a_job_cannot_honour_is_refused_by_name(request_, member):
    with pytest.raises(Invalid) as caught:
        Plan.from_document(request_)
    assert member in caught.value.message


def test_filters_that_keep_everything_are_no_processing():
    wanted = {"InputFilter": "$", "OutputFilter": "$", "JoinSource": "None"}
    assert Plan.from_document(a_request(DataProcessing=wanted)).processing is None


def test_json_in_batches_of_lines_is_json_lines():
    plan = Plan.from_document(
        a_request(
            source={"ContentType": "application/json", "SplitType": "Line"}, DataProcessing={"JoinSource": "Input"}
        )
    )
    assert plan.processing
    assert (plan.processing.input_format, plan.processing.output_format) == ("jsonlines", "jsonlines")


def test_answers_are_assembled_line_by_line_without_blank_lines():
    plan = Plan.from_document(a_request(output={"AssembleWith": "Line"}))
    assert [plan.assemble(one) for one in (b"a", b"b\n", b"")] == [b"a\n", b"b\n", b""]
    assert Plan.from_document(a_request()).assemble(b"a") == b"a"


@pytest.mark.parametrize(
    ("key", "prefix", "name"),
    [
        ("in/test.csv", "in/", "test.csv"),
        ("in/test.csv", "in", "test.csv"),
        ("in/a/b.csv", "in/", "a/b.csv"),
        ("in/test.csv", "in/test.csv", "test.csv"),
        ("in/test.csv", "in/te", "test.csv"),
        ("test.csv", "", "test.csv"),
        ("test/a.csv", "te", "test/a.csv"),
    ],
)
def test_a_result_is_named_by_where_its_input_lay_below_the_prefix(key, prefix, name):
    assert relative_name(key, prefix) == name


@pytest.mark.parametrize(("prefix", "key"), [("out", "out/a.csv.out"), ("out/", "out/a.csv.out"), ("", "a.csv.out")])
def test_a_result_lies_below_the_output_prefix(prefix, key):
    assert output_key(prefix, "a.csv") == key
