"""Requests turned into specs, manifests, shards, metrics, instance types."""

import json

import pytest
from tests.unit.domain_jobs.documents import BUCKET, a_channel, a_processing_job, a_training_job, an_input

from sagehouse.domain.instances import Instance, instance
from sagehouse.domain.jobs import processing, training
from sagehouse.domain.jobs.expressions import last_numbers
from sagehouse.domain.jobs.hosts import cluster_of, resource_config
from sagehouse.domain.jobs.metrics import FinalMetric, latest
from sagehouse.domain.jobs.source import S3Uri, read_manifest, shard
from sagehouse.kit.errors import Invalid


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        (
            {"InputDataConfig": [{"ChannelName": "c", "DataSource": {"FileSystemDataSource": {}}}]},
            "'c' has no S3DataSource",
        ),
        ({"InputDataConfig": [a_channel("c", "p", S3DataType="AugmentedManifestFile")]}, "AugmentedManifestFile"),
        ({"InputDataConfig": [{**a_channel("c", "p"), "InputMode": "Pipe"}]}, "InputMode Pipe"),
        ({"AlgorithmSpecification": {"TrainingImage": "i", "TrainingInputMode": "Pipe"}}, "InputMode Pipe"),
    ],
)
def test_what_a_training_job_cannot_do_here_is_refused_by_name(changes, says):
    with pytest.raises(Invalid, match=says):
        training.spec_of(a_training_job(**changes))


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"ProcessingInputs": [{"InputName": "i", "DatasetDefinition": {}}]}, "'i' has no S3Input"),
        ({"ProcessingInputs": [an_input("i", "p", "/x", S3InputMode="Pipe")]}, "S3InputMode Pipe"),
        (
            {"ProcessingOutputConfig": {"Outputs": [{"OutputName": "o", "FeatureStoreOutput": {}}]}},
            "'o' has no S3Output",
        ),
    ],
)
def test_what_a_processing_job_cannot_do_here_is_refused_by_name(changes, says):
    with pytest.raises(Invalid, match=says):
        processing.spec_of(a_processing_job(**changes))


def test_what_the_script_manages_itself_is_left_to_it():
    document = a_processing_job()
    document["ProcessingInputs"][0]["AppManaged"] = True
    document["ProcessingOutputConfig"]["Outputs"][0]["AppManaged"] = True
    spec = processing.spec_of(document)
    assert (spec.inputs, spec.outputs) == ((), ())


def test_instance_groups_number_their_hosts_through():
    groups = [
        {"InstanceGroupName": "big", "InstanceType": "ml.m5.large", "InstanceCount": 2},
        {"InstanceGroupName": "small", "InstanceType": "ml.t3.medium", "InstanceCount": 1},
    ]
    cluster = cluster_of({"InstanceGroups": groups})
    assert cluster.hosts == ("algo-1", "algo-2", "algo-3")
    config = resource_config(cluster, "algo-3")
    assert (config["current_group_name"], config["current_instance_type"]) == ("small", "ml.t3.medium")
    only_small = a_channel("c", "p", InstanceGroupNames=["small"])
    spec = training.spec_of(a_training_job(ResourceConfig={"InstanceGroups": groups}, InputDataConfig=[only_small]))
    assert [len(spec.inputs_of(host)) for host in cluster.hosts] == [0, 0, 1]
    files = training.files_of(
        a_training_job(ResourceConfig={"InstanceGroups": groups}, InputDataConfig=[only_small]), "algo-1"
    )
    assert json.loads(files["/opt/ml/input/config/inputdataconfig.json"]) == {}


def test_arguments_without_an_entrypoint_follow_the_images_own_command():
    document = a_training_job()
    document["AlgorithmSpecification"]["ContainerArguments"] = ["--x", "1"]
    assert (training.spec_of(document).command, training.spec_of(document).arguments) == ((), ("--x", "1"))


def test_an_s3_uri_is_a_bucket_and_a_key():
    assert S3Uri.parse("s3://b/k/l") == S3Uri(bucket="b", key="k/l")
    assert S3Uri.parse("s3://b") == S3Uri(bucket="b", key="")
    assert str(S3Uri.directory("s3://b/k")) == "s3://b/k/"
    assert str(S3Uri.directory("s3://b")) == "s3://b/"
    for text in ("b/k", "s3://", "https://b/k", "https://s3.amazonaws.com/", "http://b.s3.amazonaws.com/k", ""):
        with pytest.raises(Invalid, match="s3://bucket/key"):
            S3Uri.parse(text)


@pytest.mark.parametrize(
    "text",
    [
        "https://my.b.s3.amazonaws.com/k/a%20b",
        "https://my.b.s3-us-east-1.amazonaws.com/k/a%20b",
        "https://my.b.s3.us-east-1.amazonaws.com/k/a%20b",
        "https://my.b.s3.dualstack.us-east-1.amazonaws.com/k/a b",
        "https://s3.us-east-1.amazonaws.com/my.b/k/a%20b",
        "https://s3-us-east-1.amazonaws.com/my.b/k/a%20b",
    ],
)
def test_s3s_https_address_of_an_object_is_an_s3_uri_too(text: str):
    """The SDK's batch transform example gives ModelDataUrl so."""
    assert S3Uri.parse(text) == S3Uri(bucket="my.b", key="k/a b")


def test_a_manifest_is_a_prefix_and_names():
    manifest = read_manifest(json.dumps([{"prefix": f"s3://{BUCKET}/p/"}, "a", "b/c"]), uri="s3://b/m")
    assert (str(manifest.prefix), list(manifest.names)) == (f"s3://{BUCKET}/p/", ["a", "b/c"])
    for text in ("", "{}", "[]", '["a"]', '[{"prefix": "x"}]', '[{"prefix": "s3://b/p"}, 3]'):
        with pytest.raises(Invalid, match="s3://b/m"):
            read_manifest(text, uri="s3://b/m")


@pytest.mark.parametrize("count", [0, 1, 5, 6])
def test_every_name_goes_to_exactly_one_host(count):
    names = [str(number) for number in range(count)]
    shards = [shard(names, host=host, hosts=3) for host in range(3)]
    assert sorted(name for one in shards for name in one) == names
    assert max(map(len, shards)) - min(map(len, shards)) <= 1


DEFINITIONS = [
    {"Name": "rmse", "Regex": r"#011validation-rmse:([-+]?[0-9]*\.?[0-9]+)"},
    {"Name": "no group", "Regex": "rmse"},
    {"Name": "broken", "Regex": "("},
    {"Name": "words", "Regex": "rmse:(.*)x"},
]


def test_metrics_are_the_last_numbers_that_matched():
    lines = [(3000, ""), (2000, "[1]#011rmse:-1.25"), (1000, "[0]#011rmse:3.5 of 7")]
    sought = {"rmse": "rmse:([-+]?[0-9.]+)", "no group": "rmse", "absent": "x=(.*)", "broken": "("}
    assert list(last_numbers(sought, lines)) == [
        ("rmse", -1.25, 2000),
        ("no group", None, 0),
        ("absent", None, 0),
        ("broken", None, 0),
    ]


@pytest.mark.parametrize("word", ["nan", "inf", "-inf", "1e999", "much"])
def test_a_metric_that_is_no_finite_number_is_passed_over(word):
    """The loss of a training that diverged: NaN is no JSON, and the job's end could never be stored."""
    lines = [(2000, f"loss={word}"), (1000, "loss=0.5")]
    assert list(last_numbers({"loss": "loss=(.*)"}, lines)) == [("loss", 0.5, 1000)]


def test_of_several_hosts_the_latest_value_counts():
    early, late = (FinalMetric(name="rmse", value=value, at=value) for value in (1.0, 2.0))
    assert latest([{"rmse": late}, {"rmse": early}, {}], DEFINITIONS) == (late,)


@pytest.mark.parametrize(
    ("name", "vcpus", "memory_gib", "gpus"),
    [
        ("ml.m5.large", 2, 8, 0),
        ("ml.m5.24xlarge", 96, 384, 0),
        ("ml.c5.xlarge", 4, 8, 0),
        ("ml.c4.8xlarge", 36, 60, 0),
        ("ml.r5.2xlarge", 8, 64, 0),
        ("ml.t3.medium", 2, 4, 0),
        ("ml.m7i-flex.xlarge", 4, 16, 0),
        ("ml.g4dn.xlarge", 4, 16, 1),
        ("ml.g5.48xlarge", 192, 768, 8),
        ("ml.p4d.24xlarge", 96, 1152, 8),
    ],
)
def test_an_instance_type_is_what_aws_sells(name, vcpus, memory_gib, gpus):
    assert instance(name) == Instance(name=name, vcpus=vcpus, memory_gib=memory_gib, gpus=gpus)


@pytest.mark.parametrize("name", ["", "local", "ml.m5", "ml.x9.large", "ml.m5.huge", "ml.m5.axlarge"])
def test_an_unknown_instance_type_is_none(name):
    assert instance(name) is None
