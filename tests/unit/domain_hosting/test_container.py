"""What a model asks to be served, and what cannot be."""

import pytest

from sagehouse.domain.hosting.container import Artifact, Container, container_of, definition_of
from sagehouse.domain.hosting.deployment import Variant
from sagehouse.domain.jobs.source import S3Uri
from sagehouse.kit.errors import Invalid


def served(definition, package=None) -> Container:
    return container_of(definition, package=package, is_network_isolated=False)


def s3_source(**members):
    return {"ModelDataSource": {"S3DataSource": {"S3Uri": "s3://b/m", **members}}}


def test_a_model_data_url_is_an_archive():
    container = served({"Image": "i", "ModelDataUrl": "s3://b/m.tar.gz", "Environment": {"A": "1"}})
    assert container == Container(
        image="i", artifact=Artifact(uri=S3Uri(bucket="b", key="m.tar.gz")), environment={"A": "1"}
    )
    assert Container.from_document(container.to_document()) == container


@pytest.mark.parametrize(
    ("kind", "compression", "is_prefix", "is_archive"),
    [("S3Prefix", "None", True, False), ("S3Object", "None", False, False), ("S3Object", "Gzip", False, True)],
)
def test_a_model_data_source_is_a_prefix_an_object_or_an_archive(kind, compression, is_prefix, is_archive):
    artifact = served({"Image": "i", **s3_source(S3DataType=kind, CompressionType=compression)}).artifact
    assert artifact == Artifact(uri=S3Uri(bucket="b", key="m"), is_prefix=is_prefix, is_archive=is_archive)


def test_a_package_says_what_the_model_leaves_out():
    inner = {"Image": "i", "ModelDataUrl": "s3://b/m.tar.gz", "Environment": {"A": "package", "B": "2"}}
    package = {"ModelPackageArn": "arn", "InferenceSpecification": {"Containers": [inner]}}
    container = served({"ModelPackageName": "arn", "Environment": {"A": "own"}}, package)
    assert (container.image, container.environment) == ("i", {"A": "own", "B": "2"})


@pytest.mark.parametrize(
    ("definition", "told"),
    [
        ({}, "no Image"),
        ({"Image": "i", "Mode": "MultiModel"}, "MultiModel"),
        ({"Image": "i", "AdditionalModelDataSources": [{}]}, "AdditionalModelDataSources"),
        ({"Image": "i", "InferenceSpecificationName": "x"}, "InferenceSpecificationName"),
        ({"Image": "i", **s3_source(S3DataType="S3Prefix", CompressionType="Gzip")}, "S3Object"),
        (
            {"Image": "i", **s3_source(S3DataType="S3Object", CompressionType="None", ManifestS3Uri="s3://x/y")},
            "ManifestS3Uri",
        ),
    ],
)
def test_what_cannot_be_served_is_refused_by_name(definition, told):
    with pytest.raises(Invalid, match=told):
        served(definition)


def test_an_inference_pipeline_is_refused():
    with pytest.raises(Invalid, match="2 containers"):
        definition_of({"ModelName": "m", "Containers": [{}, {}]})
    assert definition_of({"ModelName": "m", "Containers": [{"Image": "i"}]}) == {"Image": "i"}
    assert definition_of({"ModelName": "m", "PrimaryContainer": {"Image": "i"}}) == {"Image": "i"}


def a_config(*, variant=None, **members):
    return {"ProductionVariants": [{"VariantName": "V", "ModelName": "m", **(variant or {})}], **members}


def test_a_variant_has_aws_defaults():
    assert Variant.from_config(a_config()) == Variant(
        name="V", model_name="m", weight=1.0, instance_count=1, instance_type="", startup_s=480.0
    )


@pytest.mark.parametrize(
    ("config", "told"),
    [
        (a_config(AsyncInferenceConfig={"x": 1}), "AsyncInferenceConfig"),
        (a_config(ShadowProductionVariants=[{}]), "ShadowProductionVariants"),
        (a_config(DataCaptureConfig={"EnableCapture": True}), "DataCaptureConfig"),
        (a_config(variant={"ServerlessConfig": {"x": 1}}), "ServerlessConfig"),
        (a_config(variant={"ModelName": None}), "names no model"),
        ({"ProductionVariants": [{}, {}]}, "2 production variants"),
    ],
)
def test_a_configuration_that_is_not_implemented_is_refused_by_name(config, told):
    with pytest.raises(Invalid, match=told):
        Variant.from_config(config)


def test_capture_that_is_off_is_no_capture():
    assert Variant.from_config(a_config(DataCaptureConfig={"EnableCapture": False})).name == "V"
