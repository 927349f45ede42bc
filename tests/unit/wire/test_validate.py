"""Constraints of the service model, in AWS's words."""

import pytest

from sagehouse.gateway.models import service_models
from sagehouse.kit.errors import Invalid
from sagehouse.wire.validate import validate

MODELS = service_models("sagemaker", "iam", "logs", "s3")
CREATE = MODELS.service("sagemaker").operation("CreateTrainingJob")


def a_job(**more):
    document = {
        "TrainingJobName": "job-1",
        "AlgorithmSpecification": {"TrainingInputMode": "File", "TrainingImage": "image:1"},
        "RoleArn": "arn:aws:iam::123456789012:role/SageMakerRole",
        "OutputDataConfig": {"S3OutputPath": "s3://bucket/out"},
        "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
        "StoppingCondition": {"MaxRuntimeInSeconds": 60},
    }
    return {name: value for name, value in {**document, **more}.items() if value is not ...}


def message(operation, document):
    with pytest.raises(Invalid) as caught:
        validate(operation, document)
    return caught.value.message


def test_a_good_document_passes():
    validate(CREATE, a_job())


def test_a_missing_member_must_not_be_null():
    assert message(CREATE, a_job(RoleArn=...)) == (
        "1 validation error detected: Value null at 'roleArn' failed to satisfy constraint: Member must not be null"
    )


def test_none_counts_as_absent():
    validate(CREATE, a_job(Tags=None))
    assert "'roleArn'" in message(CREATE, a_job(RoleArn=None))


def test_a_long_name_breaks_length_and_pattern():
    name = "a" * 64
    assert message(CREATE, a_job(TrainingJobName=name)) == (
        f"2 validation errors detected: Value '{name}' at 'trainingJobName' failed to satisfy constraint: Member must "
        f"have length less than or equal to 63; Value '{name}' at 'trainingJobName' failed to satisfy constraint: "
        "Member must satisfy regular expression pattern: [a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}"
    )


def test_a_path_leads_through_structures_and_lists():
    channel = {"ChannelName": "a b", "DataSource": {"S3DataSource": {"S3DataType": "Prefix", "S3Uri": "s3://b/k"}}}
    text = message(CREATE, a_job(InputDataConfig=[channel]))
    assert "Value 'a b' at 'inputDataConfig.1.member.channelName' failed to satisfy constraint" in text
    assert (
        "Value 'Prefix' at 'inputDataConfig.1.member.dataSource.s3DataSource.s3DataType' failed to satisfy "
        "constraint: Member must satisfy enum value set: [ManifestFile, S3Prefix, "
    ) in text


def test_a_number_out_of_range_names_its_bound():
    resources = {"InstanceType": "ml.m5.large", "InstanceCount": -1, "VolumeSizeInGB": 1}
    assert message(CREATE, a_job(ResourceConfig=resources)) == (
        "1 validation error detected: Value '-1' at 'resourceConfig.instanceCount' failed to satisfy constraint: "
        "Member must have value greater than or equal to 0"
    )


def test_maps_and_lists_of_texts_tell_every_constraint_of_their_elements():
    text = message(CREATE, a_job(HyperParameters={"k" * 257: "v"}))
    assert (
        "at 'hyperParameters' failed to satisfy constraint: Map keys must satisfy constraint: [Member must have "
        in text
    )
    vpc = {"SecurityGroupIds": ["sg 1"], "Subnets": ["subnet-1"]}
    assert (
        "Value '[sg 1]' at 'vpcConfig.securityGroupIds' failed to satisfy constraint: Member must satisfy constraint: "
        "[Member must have length less than or equal to 32, Member must have length greater than or equal to 0, "
        "Member must satisfy regular expression pattern: [-0-9a-zA-Z]+]"
    ) in message(CREATE, a_job(VpcConfig=vpc))


def test_no_member_is_ignored_in_silence():
    text = message(CREATE, a_job(TrainingJobNme="x", OutputDataConfig={"S3OutputPath": "s3://b", "Zip": True}))
    assert text.startswith("Unknown member 'outputDataConfig.Zip', 'TrainingJobNme' in CreateTrainingJob")


def test_a_request_that_is_all_wrong_is_answered_in_a_page():
    assert len(message(CREATE, a_job(**{f"Unknown{number}": 1 for number in range(10_000)}))) < 5_000
    wrong = [{"Key": "", "Value": "v"}] * 10_000
    text = message(CREATE, a_job(Tags=wrong))
    assert text.startswith("10001 validation errors detected: ")
    assert text.count("failed to satisfy") <= 100


@pytest.mark.parametrize(
    ("more", "text"),
    [
        ({"TrainingJobName": 1}, "NUMBER_VALUE can not be converted to String at 'trainingJobName'"),
        ({"EnableNetworkIsolation": "yes"}, "STRING_VALUE can not be converted to Boolean at 'enableNetworkIsolation'"),
        ({"Tags": {}}, "START_OBJECT can not be converted to List at 'tags'"),
        ({"Environment": {"a": ["b"]}}, "START_ARRAY can not be converted to String at 'environment.a.member'"),
        (
            {"StoppingCondition": {"MaxRuntimeInSeconds": 1.5}},
            "DECIMAL_VALUE can not be converted to Integer at 'stoppingCondition.maxRuntimeInSeconds'",
        ),
        (
            {"StoppingCondition": {"MaxRuntimeInSeconds": True}},
            "TRUE_VALUE can not be converted to Integer at 'stoppingCondition.maxRuntimeInSeconds'",
        ),
        (
            {"StoppingCondition": {"MaxRuntimeInSeconds": 2**31}},
            "NUMBER_VALUE can not be converted to Integer at 'stoppingCondition.maxRuntimeInSeconds'",
        ),
    ],
)
def test_a_value_of_another_type_is_a_serialization_error(more, text):
    with pytest.raises(Invalid) as caught:
        validate(CREATE, a_job(**more))
    assert (caught.value.code, caught.value.message) == ("SerializationException", text)


@pytest.mark.parametrize("number", [float("nan"), float("inf"), 10**400])
def test_a_number_that_json_cannot_carry_is_no_number(number):
    put = MODELS.service("logs").operation("PutMetricFilter")
    transformation = {"metricName": "m", "metricNamespace": "n", "metricValue": "1", "defaultValue": number}
    document = {
        "logGroupName": "g",
        "filterName": "f",
        "filterPattern": "",
        "metricTransformations": [transformation],
    }
    assert "can not be converted to Double" in message(put, document)


def test_a_union_holds_exactly_one_member():
    create = MODELS.service("sagemaker").operation("CreateAIRecommendationJob")
    text = message(create, {"AdapterSource": {}})
    assert "at 'adapterSource' failed to satisfy constraint: Exactly one member of the union must be set" in text


def test_a_secret_value_is_not_repeated():
    create = MODELS.service("iam").operation("CreateLoginProfile")
    text = message(create, {"UserName": "me", "Password": "p" * 200})
    assert "p" * 10 not in text
    assert "Value '***' at 'password'" in text


def test_a_recursive_shape_is_checked_all_the_way():
    query = MODELS.service("sagemaker").operation("Search")
    inner = {"Filters": [{"Name": "a", "Operator": "Nope"}]}
    document = {"Resource": "TrainingJob", "SearchExpression": {"SubExpressions": [{"SubExpressions": [inner]}]}}
    assert "'searchExpression.subExpressions.1.member.subExpressions.1.member.filters.1.member.operator'" in message(
        query, document
    )


def test_an_operation_without_input_takes_no_members():
    operation = MODELS.service("s3").operation("GetObject")
    assert "'nonsense'" in message(operation, {"Bucket": "b", "Key": "k", "nonsense": 1}).lower()


@pytest.mark.parametrize(
    ("name", "document", "code"),
    [
        ("PutObject", {"Bucket": "b", "Key": "k", "StorageClass": "CHEAP"}, "InvalidStorageClass"),
        ("PutObject", {"Bucket": "b", "Key": "k", "ACL": "everyone"}, "InvalidArgument"),
        ("PutObjectTagging", {"Bucket": "b", "Key": "k"}, "MalformedXML"),
        ("PutObjectTagging", {"Bucket": "b", "Key": "k", "Tagging": {"TagSet": [{"Key": "a"}]}}, "MalformedXML"),
        (
            "CreateBucket",
            {"Bucket": "b", "CreateBucketConfiguration": {"LocationConstraint": "mars-1"}},
            "InvalidLocationConstraint",
        ),
    ],
)
def test_s3_has_words_of_its_own(name, document, code):
    with pytest.raises(Invalid) as caught:
        validate(MODELS.service("s3").operation(name), document)
    assert caught.value.code == code
