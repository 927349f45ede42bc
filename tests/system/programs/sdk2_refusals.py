"""What sagehouse does not do yet, asked for through the SageMaker Python SDK 2.x: every answer names what was asked."""

import io
import tarfile
import tempfile
from functools import partial
from pathlib import Path

import boto3
import pandas as pd
import sagemaker
from botocore.exceptions import ClientError
from sagemaker import image_uris
from sagemaker.async_inference import AsyncInferenceConfig
from sagemaker.automl.automl import AutoML
from sagemaker.clarify import BiasConfig, DataConfig, SageMakerClarifyProcessor
from sagemaker.debugger import DebuggerHookConfig, ProfilerRule, Rule, TensorBoardOutputConfig, rule_configs
from sagemaker.estimator import Estimator
from sagemaker.experiments.run import Run
from sagemaker.feature_store.feature_group import FeatureGroup
from sagemaker.inputs import TrainingInput
from sagemaker.model import Model
from sagemaker.model_monitor import CronExpressionGenerator, DataCaptureConfig, DefaultModelMonitor
from sagemaker.multidatamodel import MultiDataModel
from sagemaker.pipeline import PipelineModel
from sagemaker.processing import ProcessingInput, ProcessingOutput, Processor
from sagemaker.pytorch import PyTorch
from sagemaker.remote_function import remote
from sagemaker.s3 import S3Uploader
from sagemaker.serverless import ServerlessInferenceConfig
from sagemaker.sklearn import SKLearn
from sagemaker.spark.processing import PySparkProcessor
from sagemaker.transformer import Transformer
from sagemaker.tuner import ContinuousParameter, HyperparameterTuner
from sdk2_promises import main, promise, refused, script, unique

HERE = tempfile.mkdtemp()
session = sagemaker.Session()
bucket = session.default_bucket()
role = sagemaker.get_execution_role()
client = boto3.client("sagemaker")
SKLEARN = image_uris.retrieve("sklearn", "us-east-1", version="1.2-1", instance_type="ml.m5.large")
TRAIN = script(HERE, "train.py", "open('/opt/ml/model/m', 'w').write('m'); print('m=1;')\n")
DATA = f"s3://{bucket}/refusals/data.csv"
S3Uploader.upload_string_as_file_body("1,2\n", DATA)


def model_data():
    path = Path(HERE) / "model.tar.gz"
    with tarfile.open(path, "w:gz") as tar:
        info = tarfile.TarInfo("m")
        tar.addfile(info, io.BytesIO(b""))
    return S3Uploader.upload(str(path), f"s3://{bucket}/refusals")


MODEL_DATA = model_data()


def estimator(**more):
    arguments = {
        "entry_point": TRAIN,
        "framework_version": "1.2-1",
        "instance_type": "ml.m5.large",
        "role": role,
        "sagemaker_session": session,
    }
    return SKLearn(**{**arguments, **more})


def model(**more):
    arguments = {"image_uri": SKLEARN, "model_data": MODEL_DATA, "role": role, "sagemaker_session": session}
    return Model(**{**arguments, **more})


def refuses(action, *words):
    """`action()` ends with the house's refusal, at once, and its text has every word."""
    with refused() as errors:
        action()
    error = errors[0]
    text = f"{type(error).__name__}: {error}"
    if isinstance(error, ClientError):
        answer = error.response["ResponseMetadata"]
        assert (answer["HTTPStatusCode"] in {400, 501}, answer["RetryAttempts"]) == (True, 0), answer
    else:  # the SDK wraps some refusals
        assert "implement" in text, text
    missing = [word for word in words if word not in text]
    assert not missing, (missing, text)


@promise
def tuning_names_itself():
    tuner = HyperparameterTuner(
        estimator(), "m", {"a": ContinuousParameter(0, 1)}, [{"Name": "m", "Regex": "m=(.*);"}], max_jobs=2
    )
    refuses(lambda: tuner.fit(DATA), "CreateHyperParameterTuningJob", "implement")


@promise
def automl_names_itself():
    refuses(
        lambda: AutoML(role, "target", sagemaker_session=session).fit(DATA, wait=False),
        "CreateAutoMLJob",
        "implement",
    )


@promise
def endpoints_of_other_kinds_name_themselves():
    one = {"initial_instance_count": 1, "instance_type": "ml.m5.large"}
    refuses(lambda: model().deploy(serverless_inference_config=ServerlessInferenceConfig(2048, 5)), "ServerlessConfig")
    refuses(
        lambda: model().deploy(**one, async_inference_config=AsyncInferenceConfig(f"s3://{bucket}/async")),
        "AsyncInferenceConfig",
    )
    refuses(
        lambda: model().deploy(
            **one,
            data_capture_config=DataCaptureConfig(True, 100, f"s3://{bucket}/captured", sagemaker_session=session),
        ),
        "DataCaptureConfig",
    )
    refuses(
        lambda: MultiDataModel(unique("mme"), f"s3://{bucket}/mme/", model=model(), sagemaker_session=session).deploy(
            **one
        ),
        "MultiModel",
    )
    refuses(
        lambda: PipelineModel([model(), model()], role, sagemaker_session=session).deploy(**one), "inference pipelines"
    )
    name = unique("model")
    model(name=name).create(instance_type="ml.m5.large")
    variant = {"ModelName": name, "InitialInstanceCount": 1, "InstanceType": "ml.m5.large"}
    refuses(
        lambda: client.create_endpoint_config(
            EndpointConfigName=unique("two"),
            ProductionVariants=[{**variant, "VariantName": "a"}, {**variant, "VariantName": "b"}],
        ),
        "more than one variant",
    )
    refuses(
        lambda: client.create_endpoint_config(
            EndpointConfigName=unique("shadow"),
            ProductionVariants=[{**variant, "VariantName": "a"}],
            ShadowProductionVariants=[{**variant, "VariantName": "b"}],
        ),
        "ShadowProductionVariants",
    )
    runtime = boto3.client("sagemaker-runtime")
    refuses(lambda: runtime.invoke_endpoint_async(EndpointName="x", InputLocation="s3://a/b"), "InvokeEndpointAsync")
    refuses(
        lambda: runtime.invoke_endpoint_with_response_stream(EndpointName="x", Body=b""),
        "InvokeEndpointWithResponseStream",
    )
    refuses(
        lambda: client.update_endpoint_weights_and_capacities(
            EndpointName="x", DesiredWeightsAndCapacities=[{"VariantName": "a", "DesiredWeight": 1}]
        ),
        "UpdateEndpointWeightsAndCapacities",
    )
    refuses(
        lambda: client.create_inference_component(
            InferenceComponentName="x", EndpointName="y", VariantName="v", Specification={"ModelName": name}
        ),
        "CreateInferenceComponent",
    )


@promise
def feature_store_experiments_and_monitoring_name_themselves():
    group = FeatureGroup(name="features", sagemaker_session=session)
    group.load_feature_definitions(pd.DataFrame({"id": [1.0], "time": [1.0]}))
    refuses(
        lambda: group.create(
            s3_uri=f"s3://{bucket}/features",
            record_identifier_name="id",
            event_time_feature_name="time",
            role_arn=role,
            enable_online_store=True,
        ),
        "CreateFeatureGroup",
    )

    def run():
        with Run(experiment_name="e", run_name="r", sagemaker_session=session):
            pass

    refuses(run, "implement")
    monitor = DefaultModelMonitor(role=role, sagemaker_session=session)
    refuses(
        lambda: monitor.create_monitoring_schedule(
            endpoint_input="an-endpoint",
            output_s3_uri=f"s3://{bucket}/monitor",
            schedule_cron_expression=CronExpressionGenerator.hourly(),
        ),
        "implement",
    )


@promise
def images_that_cannot_run_here_name_themselves():
    pytorch = PyTorch(
        entry_point=TRAIN,
        framework_version="2.1",
        py_version="py310",
        instance_count=1,
        instance_type="ml.m5.large",
        role=role,
        sagemaker_session=session,
    )
    refuses(lambda: pytorch.fit(DATA), "pytorch-training", "cannot be run here")
    builtin = Estimator(
        image_uris.retrieve("linear-learner", "us-east-1"),
        role,
        1,
        "ml.m5.large",
        sagemaker_session=session,
        hyperparameters={"predictor_type": "regressor"},
    )
    refuses(lambda: builtin.fit(DATA), "linear-learner")
    refuses(
        lambda: PySparkProcessor(
            framework_version="3.1", role=role, instance_count=1, instance_type="ml.m5.large", sagemaker_session=session
        ).run(TRAIN),
        "sagemaker-spark-processing",
    )
    clarify = SageMakerClarifyProcessor(
        role=role, instance_count=1, instance_type="ml.m5.large", sagemaker_session=session
    )
    refuses(
        lambda: clarify.run_pre_training_bias(
            DataConfig(DATA, f"s3://{bucket}/clarify", label="a", headers=["a", "b"], dataset_type="text/csv"),
            BiasConfig([1], "b"),
        ),
        "sagemaker-clarify-processing",
    )
    refuses(lambda: model(image_uri="012345678901.dkr.ecr.us-east-1.amazonaws.com/mine:1").create(), "mine:1")
    refuses(
        lambda: SKLearn(
            entry_point=TRAIN,
            image_uri=SKLEARN.replace("1.2-1", "9.9-9"),
            framework_version="1.2-1",
            instance_type="ml.m5.large",
            role=role,
            sagemaker_session=session,
        ).fit(),
        "9.9-9",
    )


@promise
def remote_functions_name_what_is_missing():
    @remote(
        sagemaker_session=session,
        role=role,
        instance_type="ml.m5.large",
        image_uri=SKLEARN.replace("sagemaker-scikit-learn:1.2-1-cpu-py3", "own:1"),
    )
    def divide(a, b):
        return a / b

    refuses(lambda: divide(1, 2), "own:1")


@promise
def members_that_are_not_honoured_are_refused_or_told():
    refuses(
        lambda: estimator(tensorboard_output_config=TensorBoardOutputConfig(f"s3://{bucket}/tb")).fit(), "TensorBoard"
    )
    refuses(
        lambda: estimator(rules=[Rule.sagemaker(rule_configs.loss_not_decreasing())]).fit(), "DebugRuleConfigurations"
    )
    refuses(
        lambda: estimator(rules=[ProfilerRule.sagemaker(rule_configs.ProfilerReport())]).fit(),
        "RuleConfigurations",
    )
    refuses(lambda: estimator().fit(TrainingInput(DATA, input_mode="Pipe")), "Pipe")
    refuses(lambda: estimator(input_mode="Pipe").fit(DATA), "Pipe")
    refuses(
        lambda: estimator().fit(TrainingInput(DATA, s3_data_type="AugmentedManifestFile", attribute_names=["a"])),
        "Augmented",
    )
    refuses(lambda: estimator().fit(TrainingInput(DATA, compression="Gzip")), "Gzip")
    refuses(lambda: estimator().fit(TrainingInput(DATA, record_wrapping="RecordIO")), "RecordIO")
    kept = estimator(
        keep_alive_period_in_seconds=60,
        subnets=["subnet-1"],
        security_group_ids=["sg-1"],
        debugger_hook_config=DebuggerHookConfig(f"s3://{bucket}/hook"),
        encrypt_inter_container_traffic=True,
        output_kms_key="alias/mine",
        volume_kms_key="alias/mine",
        enable_network_isolation=True,
    )
    kept.fit(DATA, logs=False)
    described = kept.latest_training_job.describe()
    assert described["VpcConfig"] == {"Subnets": ["subnet-1"], "SecurityGroupIds": ["sg-1"]}
    assert described["ResourceConfig"]["KeepAlivePeriodInSeconds"] == 60
    assert described["OutputDataConfig"]["KmsKeyId"] == "alias/mine"
    assert described["EnableNetworkIsolation"] is True
    processor = Processor(role, SKLEARN, 1, "ml.m5.large", entrypoint=["true"], sagemaker_session=session)
    refuses(
        lambda: processor.run(
            inputs=[ProcessingInput(source=DATA, destination="/opt/ml/processing/a", s3_input_mode="Pipe")]
        ),
        "Pipe",
    )
    refuses(
        lambda: processor.run(
            outputs=[
                ProcessingOutput(
                    output_name="f",
                    source="/opt/ml/processing/f",
                    destination=f"s3://{bucket}/f",
                    feature_store_output=sagemaker.processing.FeatureStoreOutput(feature_group_name="f"),
                )
            ]
        ),
        "FeatureStoreOutput",
    )
    name = unique("model")
    model(name=name).create(instance_type="ml.m5.large")
    transformer = Transformer(name, 1, "ml.m5.large", sagemaker_session=session, output_path=f"s3://{bucket}/t")
    refuses(
        lambda: transformer.transform(
            DATA, batch_data_capture_config=sagemaker.inputs.BatchDataCaptureConfig(f"s3://{bucket}/c")
        ),
        "DataCaptureConfig",
    )
    refuses(lambda: transformer.transform(DATA, split_type="RecordIO", compression_type="Bzip2"), "ompression")


@promise
def other_services_name_themselves():
    for service, operation, arguments in (
        (
            "cloudwatch",
            "get_metric_statistics",
            {"Namespace": "n", "MetricName": "m", "StartTime": 0, "EndTime": 1, "Period": 60},
        ),
        ("athena", "list_work_groups", {}),
        ("glue", "get_databases", {}),
        ("ecr", "describe_repositories", {}),
        ("lambda", "list_functions", {}),
        ("events", "list_rules", {}),
        ("sns", "list_topics", {}),
        ("sqs", "list_queues", {}),
        ("application-autoscaling", "describe_scalable_targets", {"ServiceNamespace": "sagemaker"}),
        (
            "sagemaker-featurestore-runtime",
            "get_record",
            {"FeatureGroupName": "f", "RecordIdentifierValueAsString": "1"},
        ),
    ):
        refuses(
            partial(getattr(boto3.client(service), operation), **arguments), "sagehouse does not implement", service
        )
    jobs = estimator(metric_definitions=[{"Name": "m", "Regex": "m=(.*);"}])
    jobs.fit(logs=False)
    refuses(jobs.training_job_analytics.dataframe, "GetMetricStatistics")


if __name__ == "__main__":
    main()
