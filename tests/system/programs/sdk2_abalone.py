"""The pipelines lab of SageMaker courses on real data: abalone ages, preprocessed, trained, evaluated, gated, scored.

Run with the path of abalone.csv (UCI Machine Learning Repository) as the second argument.
"""

import json
import sys
import tempfile
import time

import boto3
import sagemaker
from sagemaker import ModelPackage, image_uris
from sagemaker.estimator import Estimator
from sagemaker.inputs import TrainingInput, TransformInput
from sagemaker.model import Model
from sagemaker.model_metrics import MetricsSource, ModelMetrics
from sagemaker.predictor import Predictor
from sagemaker.processing import ProcessingInput, ProcessingOutput, ScriptProcessor
from sagemaker.s3 import S3Downloader
from sagemaker.serializers import CSVSerializer
from sagemaker.sklearn.processing import SKLearnProcessor
from sagemaker.transformer import Transformer
from sagemaker.workflow.condition_step import ConditionStep
from sagemaker.workflow.conditions import ConditionLessThanOrEqualTo
from sagemaker.workflow.fail_step import FailStep
from sagemaker.workflow.functions import Join, JsonGet
from sagemaker.workflow.model_step import ModelStep
from sagemaker.workflow.parameters import ParameterFloat, ParameterInteger, ParameterString
from sagemaker.workflow.pipeline import Pipeline
from sagemaker.workflow.pipeline_context import PipelineSession
from sagemaker.workflow.properties import PropertyFile
from sagemaker.workflow.steps import ProcessingStep, TrainingStep, TransformStep
from sdk2_promises import main, promise, script, unique

HERE = tempfile.mkdtemp()

PREPROCESS = script(
    HERE,
    "preprocessing.py",
    '''
    """Feature engineers the abalone dataset."""
    import os
    import numpy as np
    import pandas as pd
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    NAMES = ["sex", "length", "diameter", "height", "whole_weight", "shucked_weight", "viscera_weight",
             "shell_weight"]
    LABEL = "rings"

    if __name__ == "__main__":
        base = "/opt/ml/processing"
        df = pd.read_csv(f"{base}/input/abalone.csv", header=None, names=NAMES + [LABEL],
                         dtype={**{n: np.float64 for n in NAMES[1:]}, "sex": str, LABEL: np.float64})
        numeric = NAMES[1:]
        transformer = ColumnTransformer([
            ("num", Pipeline([("imputer", SimpleImputer(strategy="median")), ("scaler", StandardScaler())]), numeric),
            ("cat", Pipeline([("imputer", SimpleImputer(strategy="constant", fill_value="missing")),
                              ("onehot", OneHotEncoder(handle_unknown="ignore"))]), ["sex"]),
        ])
        y = df.pop(LABEL).to_numpy().reshape(-1, 1)
        X = np.concatenate((y, transformer.fit_transform(df)), axis=1)
        np.random.RandomState(0).shuffle(X)
        train, validation, test = np.split(X, [int(0.7 * len(X)), int(0.85 * len(X))])
        for name, part in (("train", train), ("validation", validation), ("test", test)):
            pd.DataFrame(part).to_csv(f"{base}/{name}/{name}.csv", header=False, index=False)
        pd.DataFrame(test[:, 1:]).to_csv(f"{base}/batch/batch.csv", header=False, index=False)
    ''',
)
EVALUATE = script(
    HERE,
    "evaluation.py",
    """
    import json
    import pathlib
    import pickle
    import tarfile
    import numpy as np
    import pandas as pd
    import xgboost
    from sklearn.metrics import mean_squared_error

    if __name__ == "__main__":
        with tarfile.open("/opt/ml/processing/model/model.tar.gz") as tar:
            tar.extractall(path=".")
        model = pickle.load(open("xgboost-model", "rb"))
        df = pd.read_csv("/opt/ml/processing/test/test.csv", header=None)
        y_test = df.iloc[:, 0].to_numpy()
        df.drop(df.columns[0], axis=1, inplace=True)
        X_test = xgboost.DMatrix(df.values)
        predictions = model.predict(X_test)
        mse = mean_squared_error(y_test, predictions)
        std = np.std(y_test - predictions)
        report = {"regression_metrics": {"mse": {"value": float(mse), "standard_deviation": float(std)}}}
        output_dir = "/opt/ml/processing/evaluation"
        pathlib.Path(output_dir).mkdir(parents=True, exist_ok=True)
        with open(f"{output_dir}/evaluation.json", "w") as f:
            f.write(json.dumps(report))
        print("mse", mse)
    """,
)


@promise
def abalone_ages_are_learned_gated_registered_and_scored_in_a_batch():
    session, plain = PipelineSession(), sagemaker.Session()
    bucket, role, name = plain.default_bucket(), sagemaker.get_execution_role(), unique("abalone")
    input_uri = plain.upload_data(sys.argv[2], key_prefix="abalone/raw")
    count = ParameterInteger(name="ProcessingInstanceCount", default_value=1)
    approval = ParameterString(name="ModelApprovalStatus", default_value="PendingManualApproval")
    data = ParameterString(name="InputData", default_value=input_uri)
    threshold = ParameterFloat(name="MseThreshold", default_value=6.0)

    process = ProcessingStep(
        name="AbaloneProcess",
        step_args=SKLearnProcessor(
            framework_version="1.0-1",
            instance_type="ml.m5.xlarge",
            instance_count=count,
            base_job_name="sklearn-abalone-process",
            role=role,
            sagemaker_session=session,
        ).run(
            inputs=[ProcessingInput(source=data, destination="/opt/ml/processing/input")],
            outputs=[
                ProcessingOutput(output_name=one, source=f"/opt/ml/processing/{one}")
                for one in ("train", "validation", "test", "batch")
            ],
            code=PREPROCESS,
        ),
    )
    outputs = process.properties.ProcessingOutputConfig.Outputs
    image = image_uris.retrieve("xgboost", "us-east-1", version="1.0-1", py_version="py3", instance_type="ml.m5.xlarge")
    xgb = Estimator(
        image_uri=image,
        instance_type="ml.m5.xlarge",
        instance_count=1,
        output_path=f"s3://{bucket}/AbaloneTrain",
        role=role,
        sagemaker_session=session,
    )
    xgb.set_hyperparameters(
        objective="reg:linear", num_round=50, max_depth=5, eta=0.2, gamma=4, min_child_weight=6, subsample=0.7
    )
    train = TrainingStep(
        name="AbaloneTrain",
        step_args=xgb.fit(
            {
                channel: TrainingInput(s3_data=outputs[channel].S3Output.S3Uri, content_type="text/csv")
                for channel in ("train", "validation")
            }
        ),
    )
    report = PropertyFile(name="EvaluationReport", output_name="evaluation", path="evaluation.json")
    evaluate = ProcessingStep(
        name="AbaloneEval",
        step_args=ScriptProcessor(
            image_uri=image,
            command=["python3"],
            instance_type="ml.m5.xlarge",
            instance_count=1,
            base_job_name="script-abalone-eval",
            role=role,
            sagemaker_session=session,
        ).run(
            inputs=[
                ProcessingInput(
                    source=train.properties.ModelArtifacts.S3ModelArtifacts, destination="/opt/ml/processing/model"
                ),
                ProcessingInput(source=outputs["test"].S3Output.S3Uri, destination="/opt/ml/processing/test"),
            ],
            outputs=[ProcessingOutput(output_name="evaluation", source="/opt/ml/processing/evaluation")],
            code=EVALUATE,
        ),
        property_files=[report],
    )
    model = Model(
        image_uri=image,
        model_data=train.properties.ModelArtifacts.S3ModelArtifacts,
        sagemaker_session=session,
        role=role,
    )
    create = ModelStep(name="AbaloneCreateModel", step_args=model.create(instance_type="ml.m5.large"))
    transform = TransformStep(
        name="AbaloneTransform",
        transformer=Transformer(
            model_name=create.properties.ModelName,
            instance_type="ml.m5.xlarge",
            instance_count=1,
            assemble_with="Line",
            accept="text/csv",
            output_path=f"s3://{bucket}/AbaloneTransform",
        ),
        inputs=TransformInput(data=outputs["batch"].S3Output.S3Uri, content_type="text/csv", split_type="Line"),
    )
    register = ModelStep(
        name="AbaloneRegisterModel",
        step_args=model.register(
            content_types=["text/csv"],
            response_types=["text/csv"],
            inference_instances=["ml.t2.medium", "ml.m5.xlarge"],
            transform_instances=["ml.m5.xlarge"],
            model_package_group_name=name,
            approval_status=approval,
            model_metrics=ModelMetrics(
                model_statistics=MetricsSource(
                    s3_uri=Join(
                        on="/",
                        values=[
                            evaluate.arguments["ProcessingOutputConfig"]["Outputs"][0]["S3Output"]["S3Uri"],
                            "evaluation.json",
                        ],
                    ),
                    content_type="application/json",
                )
            ),
        ),
    )
    gate = ConditionStep(
        name="AbaloneMSECond",
        conditions=[
            ConditionLessThanOrEqualTo(
                left=JsonGet(step_name=evaluate.name, property_file=report, json_path="regression_metrics.mse.value"),
                right=threshold,
            )
        ],
        if_steps=[register, create, transform],
        else_steps=[
            FailStep(
                name="AbaloneMSEFail",
                error_message=Join(on=" ", values=["Execution failed due to MSE >", threshold]),
            )
        ],
    )
    pipeline = Pipeline(
        name=name,
        parameters=[count, approval, data, threshold],
        steps=[process, train, evaluate, gate],
        sagemaker_session=session,
    )
    pipeline.upsert(role_arn=role)
    execution, strict = pipeline.start(), pipeline.start(parameters={"MseThreshold": 0.1})
    execution.wait()
    steps = {step["StepName"]: step for step in execution.list_steps()}
    assert {step["StepStatus"] for step in steps.values()} == {"Succeeded"}, steps
    client = boto3.client("sagemaker")
    package = client.list_model_packages(ModelPackageGroupName=name)["ModelPackageSummaryList"][0]
    described = client.describe_model_package(ModelPackageName=package["ModelPackageArn"])
    evaluation = json.loads(S3Downloader.read_file(described["ModelMetrics"]["ModelQuality"]["Statistics"]["S3Uri"]))
    assert evaluation["regression_metrics"]["mse"]["value"] < 6, evaluation
    scored = S3Downloader.read_file(f"s3://{bucket}/AbaloneTransform/batch.csv.out").split()
    assert len(scored) == 627, len(scored)
    client.update_model_package(ModelPackageArn=package["ModelPackageArn"], ModelApprovalStatus="Approved")
    deployed = ModelPackage(
        role=role, model_package_arn=package["ModelPackageArn"], sagemaker_session=plain, predictor_cls=Predictor
    )
    predictor = deployed.deploy(
        initial_instance_count=1,
        instance_type="ml.m5.xlarge",
        endpoint_name=unique("abalone"),
        serializer=CSVSerializer(),
    )
    output = next(
        one["S3Output"]["S3Uri"]
        for one in client.describe_processing_job(
            ProcessingJobName=steps["AbaloneProcess"]["Metadata"]["ProcessingJob"]["Arn"].split("/")[-1]
        )["ProcessingOutputConfig"]["Outputs"]
        if one["OutputName"] == "batch"
    )
    first = S3Downloader.read_file(f"{output}/batch.csv").splitlines()[0]
    assert abs(float(predictor.predict(first).decode()) - float(scored[0])) < 1e-4
    predictor.delete_endpoint()
    while strict.describe()["PipelineExecutionStatus"] == "Executing":
        time.sleep(0.5)
    failed = {step["StepName"]: step for step in strict.list_steps()}
    assert failed["AbaloneMSEFail"]["FailureReason"] == "Execution failed due to MSE > 0.1", failed["AbaloneMSEFail"]
    assert "AbaloneTransform" not in failed


if __name__ == "__main__":
    main()
