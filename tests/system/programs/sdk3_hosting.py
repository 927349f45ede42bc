"""Models, endpoints, batch transform and the model registry with the SageMaker Python SDK 3.x.

An ordinary program of the SDK. What it finds it prints as lines "name: JSON".
"""

import io
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from sagemaker.core import image_uris
from sagemaker.core.deserializers import CSVDeserializer, JSONDeserializer, NumpyDeserializer
from sagemaker.core.helper.session_helper import Session, get_execution_role
from sagemaker.core.model_metrics import MetricsSource, ModelMetrics
from sagemaker.core.resources import (
    Endpoint,
    EndpointConfig,
    Model,
    ModelPackage,
    ModelPackageGroup,
    Tag,
    TransformJob,
)
from sagemaker.core.serializers import CSVSerializer, JSONSerializer, NumpySerializer
from sagemaker.core.shapes import (
    ContainerDefinition,
    ProductionVariant,
    TransformDataSource,
    TransformInput,
    TransformOutput,
    TransformResources,
    TransformS3DataSource,
)
from sagemaker.core.shapes import Tag as TagShape
from sagemaker.core.training.configs import Compute, SourceCode
from sagemaker.core.transformer import Transformer
from sagemaker.serve.model_builder import ModelBuilder
from sagemaker.train import ModelTrainer

SESSION = Session()
ROLE = get_execution_role(SESSION)
BUCKET = SESSION.default_bucket()
SKLEARN = image_uris.retrieve("sklearn", SESSION.boto_region_name, version="1.2-1", instance_type="ml.m5.large")
STAMP = int(time.time())

TRAIN = """
import os
import joblib
import numpy as np
from sklearn.linear_model import LinearRegression

features = np.arange(20).reshape(10, 2)
model = LinearRegression().fit(features, features[:, 0] * 2 + 1)
joblib.dump(model, os.path.join(os.environ["SM_MODEL_DIR"], "model.joblib"))
"""
INFERENCE = """
import os
import joblib
from offset import OFFSET

def model_fn(model_dir):
    print("loading", os.environ.get("COLOUR"))
    return joblib.load(os.path.join(model_dir, "model.joblib"))

def predict_fn(data, model):
    if len(data) and data[0][0] == -1:
        raise ValueError("minus one is not a price")
    return model.predict(data).round(6) + OFFSET
"""


def tell(name: str, value: object) -> None:
    print(f"\n{name}: {json.dumps(value, default=str)}")


def refused(name: str, attempt: Callable[[], object]) -> None:
    try:
        attempt()
    except Exception as error:  # noqa: BLE001 - whatever comes is shown
        tell(name, [type(error).__name__, str(error)])
    else:
        tell(name, "went through")


def write(directory: Path, files: dict[str, str]) -> str:
    directory.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (directory / name).write_text(text)
    return str(directory)


def train(work: Path) -> str:
    trainer = ModelTrainer(
        training_image=SKLEARN,
        source_code=SourceCode(source_dir=write(work / "train", {"train.py": TRAIN}), entry_script="train.py"),
        compute=Compute(instance_type="ml.m5.large", instance_count=1),
        base_job_name="sdk3-linear",
        role=ROLE,
        sagemaker_session=SESSION,
    )
    trainer.train(logs=False)
    return trainer._latest_training_job.model_artifacts.s3_model_artifacts


def builder(work: Path, artifacts: str, offset: float) -> ModelBuilder:
    code = write(work / f"code{offset}", {"inference.py": INFERENCE, "offset.py": f"OFFSET = {offset}\n"})
    return ModelBuilder(
        image_uri=SKLEARN,
        s3_model_data_url=artifacts,
        source_code=SourceCode(source_dir=code, entry_script="inference.py"),
        env_vars={"COLOUR": "blue"},
        instance_type="ml.m5.large",
        role_arn=ROLE,
        sagemaker_session=SESSION,
    )


def a_variant(model_name: str) -> ProductionVariant:
    return ProductionVariant(
        variant_name="main",
        model_name=model_name,
        instance_type="ml.m5.large",
        initial_instance_count=1,
        initial_variant_weight=1.0,
    )


def build_and_deploy(work: Path, artifacts: str) -> None:
    """ModelBuilder: build, deploy, invoke in several forms, update the endpoint with another model."""
    name = f"sdk3-builder-{STAMP}"
    first = builder(work, artifacts, 0.0)
    model = first.build(model_name=name, tags=[{"Key": "team", "Value": "red"}])
    tell("builder model", [model.model_name == name, sorted(model.primary_container.environment)])
    tell("builder tags", [[tag.key, tag.value] for tag in Tag.get_all(resource_arn=model.model_arn)])
    endpoint = first.deploy(endpoint_name=name, initial_instance_count=1)
    tell("builder endpoint", [type(endpoint).__name__, endpoint.endpoint_status])

    answer = endpoint.invoke(body=json.dumps([[1, 2]]), content_type="application/json", accept="application/json")
    tell("builder json", [json.loads(answer.body.read()), answer.content_type, answer.invoked_production_variant])
    answer = endpoint.invoke(body="1,2\n3,4\n", content_type="text/csv", accept="text/csv")
    tell("builder csv", answer.body.read().decode())
    for label, serializer, deserializer, data in (
        ("text/csv", CSVSerializer(), CSVDeserializer(), [[1, 2], [3, 4]]),
        ("application/json", JSONSerializer(), JSONDeserializer(), [[5, 6]]),
        ("application/x-npy", NumpySerializer(), NumpyDeserializer(), np.array([[7.0, 8.0]])),
    ):
        endpoint.serializer, endpoint.deserializer = serializer, deserializer
        answer = endpoint.invoke(body=data, content_type=label, accept=label)
        body = answer.body.tolist() if hasattr(answer.body, "tolist") else answer.body
        tell(f"builder {label}", body)
    endpoint.serializer = endpoint.deserializer = None
    refused("builder model error", lambda: endpoint.invoke(body="-1,0\n1,2", content_type="text/csv"))
    refused("builder content type", lambda: endpoint.invoke(body="x", content_type="application/x-nonsense"))

    second = builder(work, artifacts, 100.0)
    second.build(model_name=f"{name}-v2")
    EndpointConfig.create(endpoint_config_name=f"{name}-v2", production_variants=[a_variant(f"{name}-v2")])
    endpoint.endpoint_config_name = f"{name}-v2"
    endpoint.update()
    tell("builder updating", endpoint.endpoint_status)
    endpoint.wait_for_status("InService", poll=1, timeout=60)
    answer = endpoint.invoke(body="1,2\n3,4", content_type="text/csv", accept="text/csv")
    tell("builder updated", [endpoint.endpoint_config_name == f"{name}-v2", answer.body.read().decode()])

    transformer = first.transformer(
        instance_count=1,
        instance_type="ml.m5.large",
        strategy="MultiRecord",
        assemble_with="Line",
        accept="text/csv",
        output_path=f"s3://{BUCKET}/sdk3/transformed",
    )
    transform(work, transformer)
    endpoint.delete()
    endpoint.wait_for_delete(poll=1, timeout=60)
    for config in EndpointConfig.get_all(name_contains=name):
        config.delete()
    refused("builder gone", lambda: Endpoint.get(endpoint_name=name))


def transform(work: Path, transformer: Transformer) -> None:
    data = SESSION.upload_data(write(work / "batch", {"a.csv": "id1,1,2\nid2,3,4\n"}), key_prefix=f"sdk3/batch{STAMP}")
    transformer.transform(
        data=data,
        content_type="text/csv",
        split_type="Line",
        input_filter="$[1:]",
        join_source="Input",
        output_filter="$[0,-1]",
        wait=True,
        logs=True,
    )
    job = transformer.latest_transform_job
    job.refresh()
    tell("transform status", job.transform_job_status)
    tell("transform output", SESSION.read_s3_file(BUCKET, "sdk3/transformed/a.csv.out"))
    attached = Transformer.attach(job.transform_job_name, sagemaker_session=SESSION)
    tell("transform attached", [attached.model_name == transformer.model_name, attached.output_path])
    refused(
        "transform without input", lambda: create_transform(transformer.model_name, f"s3://{BUCKET}/sdk3/none-here")
    )
    created = create_transform(transformer.model_name, data)
    created.stop()
    created.wait(poll=1, timeout=60)
    tell("transform stopped", created.transform_job_status)
    found = TransformJob.get_all(
        name_contains=f"builder-{STAMP}", status_equals="Completed", sort_by="CreationTime", sort_order="Descending"
    )
    tell("transform all", [each.transform_job_name == job.transform_job_name for each in found])
    refused("transform stopped late", job.stop)


def create_transform(model_name: str, data: str) -> TransformJob:
    return TransformJob.create(
        transform_job_name=f"sdk3-transform-{STAMP}",
        model_name=model_name,
        transform_input=TransformInput(
            data_source=TransformDataSource(s3_data_source=TransformS3DataSource(s3_data_type="S3Prefix", s3_uri=data)),
            content_type="text/csv",
        ),
        transform_output=TransformOutput(s3_output_path=f"s3://{BUCKET}/sdk3/transformed"),
        transform_resources=TransformResources(instance_type="ml.m5.large", instance_count=1),
    )


def resources(work: Path, artifacts: str) -> None:
    """Model, EndpointConfig and Endpoint by themselves: create, get, wait, update, delete; and one that fails."""
    name = f"sdk3-raw-{STAMP}"
    model = Model.get(model_name=f"sdk3-builder-{STAMP}")
    tell("raw models", sorted(each.model_name for each in Model.get_all(name_contains=f"sdk3-builder-{STAMP}")))
    bare = Model.create(
        model_name=name,
        primary_container=ContainerDefinition(image=SKLEARN, model_data_url=artifacts),
        execution_role_arn=ROLE,
    )
    for config, of in ((f"{name}-bad", bare), (f"{name}-good", model)):
        EndpointConfig.create(
            endpoint_config_name=config,
            production_variants=[a_variant(of.model_name)],
        )
    endpoint = Endpoint.create(endpoint_name=name, endpoint_config_name=f"{name}-bad")
    refused("raw endpoint without model_fn", lambda: endpoint.wait_for_status("InService", poll=1, timeout=60))
    endpoint.delete()
    endpoint.wait_for_delete(poll=1, timeout=60)
    endpoint = Endpoint.create(
        endpoint_name=name, endpoint_config_name=f"{name}-good", tags=[TagShape(key="team", value="blue")]
    )
    endpoint.wait_for_status("InService", poll=1, timeout=60)
    tell("raw variants", [[v.variant_name, v.current_instance_count] for v in endpoint.production_variants])
    answer = endpoint.invoke(body="1,2\n3,4", content_type="text/csv", accept="text/csv", target_variant="main")
    tell("raw answer", answer.body.read().decode())
    listed = Endpoint.get_all(status_equals="InService", name_contains=name, sort_by="Name")
    tell("raw in service", [each.endpoint_name == name for each in listed])
    refused(
        "raw config in twice",
        lambda: EndpointConfig.create(
            endpoint_config_name=f"{name}-good",
            production_variants=EndpointConfig.get(f"{name}-good").production_variants,
        ),
    )
    refused("raw endpoint taken", lambda: Endpoint.create(endpoint_name=name, endpoint_config_name=f"{name}-good"))
    endpoint.delete()
    endpoint.wait_for_delete(poll=1, timeout=60)
    bare.delete()
    refused("raw model gone", lambda: Model.get(model_name=name))


def registry(work: Path, artifacts: str) -> None:
    """Register by ModelBuilder and by ModelPackage.create; list, approve, deploy from the package, delete."""
    group = f"sdk3-group-{STAMP}"
    made = builder(work, artifacts, 7.0)
    made.build(model_name=f"sdk3-registered-{STAMP}")
    SESSION.upload_string_as_file_body(json.dumps({"mse": 0.5}), BUCKET, f"sdk3/{group}/statistics.json")
    arn = made.register(
        model_package_group_name=group,
        content_types=["text/csv"],
        response_types=["text/csv"],
        inference_instances=["ml.m5.large"],
        transform_instances=["ml.m5.large"],
        model_metrics=ModelMetrics(
            model_statistics=MetricsSource(
                s3_uri=f"s3://{BUCKET}/sdk3/{group}/statistics.json", content_type="application/json"
            )
        ),
        approval_status="PendingManualApproval",
        description="a line",
        customer_metadata_properties={"owner": "red"},
    )
    tell("registry arn", arn.split(":model-package/")[1].replace(group, "GROUP"))
    created = ModelPackage.get(
        model_package_name=made.register(
            model_package_group_name=group,
            content_types=["text/csv"],
            response_types=["text/csv"],
            approval_status="Rejected",
        )
    )
    tell(
        "registry second", [created.model_package_version, created.model_approval_status, created.model_package_status]
    )
    packages = list(
        ModelPackage.get_all(model_package_group_name=group, sort_by="CreationTime", sort_order="Ascending")
    )
    tell("registry versions", [[each.model_package_version, each.model_approval_status] for each in packages])
    waiting = ModelPackage.get_all(model_package_group_name=group, model_approval_status="PendingManualApproval")
    tell("registry waiting", [each.model_package_version for each in waiting])
    package = ModelPackage.get(model_package_name=arn)
    package.wait_for_status("Completed", poll=1, timeout=30)
    tell("registry metrics", package.model_metrics.model_quality.statistics.s3_uri.rsplit("/", 1)[1])
    package.update(model_approval_status="Approved", approval_description="good")
    package.refresh()
    tell(
        "registry approved",
        [package.model_approval_status, package.approval_description, package.customer_metadata_properties],
    )
    groups = ModelPackageGroup.get_all(name_contains=f"group-{STAMP}")
    tell(
        "registry groups",
        [[each.model_package_group_name == group, each.model_package_group_status] for each in groups],
    )

    alone = f"sdk3-alone-{STAMP}"
    made.register(
        model_package_name=alone,
        content_types=["text/csv"],
        response_types=["text/csv"],
        inference_instances=["ml.m5.large"],
        transform_instances=["ml.m5.large"],
    )
    package = ModelPackage.get(model_package_name=alone)
    tell("registry alone", [package.model_package_name == alone, package.model_package_status])
    package.delete()
    package.wait_for_delete(poll=1, timeout=30)

    name = f"sdk3-package-{STAMP}"
    Model.create(
        model_name=name,
        execution_role_arn=ROLE,
        containers=[ContainerDefinition(model_package_name=arn)],
    )
    EndpointConfig.create(
        endpoint_config_name=name,
        production_variants=[a_variant(name)],
    )
    endpoint = Endpoint.create(endpoint_name=name, endpoint_config_name=name)
    endpoint.wait_for_status("InService", poll=1, timeout=60)
    answer = endpoint.invoke(body=_npy(np.array([[1.0, 2.0]])), content_type="application/x-npy", accept="text/csv")
    tell("registry answer", answer.body.read().decode())
    endpoint.delete()
    refused("registry group in use", lambda: ModelPackageGroup.get(model_package_group_name=group).delete())
    for each in packages:
        each.model_package_name = each.model_package_arn  # the SDK deletes by name; a version only has an ARN
        each.delete()
    ModelPackageGroup.get(model_package_group_name=group).delete()
    refused("registry group gone", lambda: ModelPackageGroup.get(model_package_group_name=group))


def _npy(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def main() -> None:
    with TemporaryDirectory() as directory:
        work = Path(directory)
        artifacts = train(work)
        for name in sys.argv[1:] or ["build_and_deploy", "resources", "registry"]:
            started = time.monotonic()
            globals()[name](work, artifacts)
            print(f"-- {name} {time.monotonic() - started:.1f} s", file=sys.stderr)


if __name__ == "__main__":
    main()
