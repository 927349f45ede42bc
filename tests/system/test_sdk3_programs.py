"""Programs of the SageMaker Python SDK 3.x, unmodified: what tests/system/programs/sdk3_*.py found in the house.

Each program runs once, in an interpreter of its own (importing the SDK takes seconds), two at a time against one house,
and prints what it finds as lines "name: JSON".
"""

import json
import re
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeAlias

import pytest
from tests.system.conftest import ROOT, SDK3, RunningHouse

PROGRAMS = ROOT / "tests" / "system" / "programs"
NAMES = ("pipeline", "hosting", "training", "functions", "session", "processing")
"""The longest first."""
AT_ONCE = 2
TRANSITIONS = ["Starting", "Downloading", "Training", "Uploading", "Completed"]
Facts: TypeAlias = dict[str, Any]
pytestmark = pytest.mark.system


def facts_of(house: RunningHouse, name: str) -> Facts:
    """Return what a program told; its log, which shows the jobs' lines too, under "log"."""
    ended = house.run(SDK3, PROGRAMS / f"sdk3_{name}.py", check=False)
    assert ended.returncode == 0, f"{name}: exit {ended.returncode}\n{ended.stdout[-4000:]}\n{ended.stderr[-4000:]}"
    facts: Facts = {"log": ended.stdout + ended.stderr}
    for line in ended.stdout.splitlines():
        key, colon, value = line.partition(": ")
        if colon and re.fullmatch("[a-z0-9][a-z0-9 _/-]*", key):
            try:
                facts[key] = json.loads(value)
            except ValueError:
                continue  # a line of a job's log
    return facts


@pytest.fixture(scope="module")
def told(shared_house: RunningHouse, request: pytest.FixtureRequest) -> Iterator[dict[str, Future[Facts]]]:
    """Start every program that a chosen test asks about."""
    shared_house.reset()
    chosen = {
        name
        for item in request.session.items
        if isinstance(item, pytest.Function) and item.module is request.module
        for name in NAMES
        if name in item.fixturenames
    }
    with ThreadPoolExecutor(AT_ONCE) as pool:
        yield {name: pool.submit(facts_of, shared_house, name) for name in NAMES if name in chosen}


@pytest.fixture(scope="module")
def training(told: dict[str, Future[Facts]]) -> Facts:
    return told["training"].result()


@pytest.fixture(scope="module")
def processing(told: dict[str, Future[Facts]]) -> Facts:
    return told["processing"].result()


@pytest.fixture(scope="module")
def hosting(told: dict[str, Future[Facts]]) -> Facts:
    return told["hosting"].result()


@pytest.fixture(scope="module")
def pipeline(told: dict[str, Future[Facts]]) -> Facts:
    return told["pipeline"].result()


@pytest.fixture(scope="module")
def functions(told: dict[str, Future[Facts]]) -> Facts:
    return told["functions"].result()


@pytest.fixture(scope="module")
def session(told: dict[str, Future[Facts]]) -> Facts:
    return told["session"].result()


def test_a_model_trainer_runs_its_script_with_all_it_was_given(training: Facts) -> None:
    assert training["script status"] == ["Completed", "Completed"]
    seen = training["script seen"]
    assert seen["arguments"] == {
        "count": "7",
        "rate": "0.25",
        "flag": "true",
        "nothing": "null",
        "text": "plain words",
        "digits": "007",
        "list": '[1, "two", 3.0]',
        "dict": '{"a": {"b": [1, 2]}}',
    }
    assert seen["hyperparameters"] == {
        "count": 7,
        "rate": 0.25,
        "flag": True,
        "nothing": None,
        "text": "plain words",
        "digits": "007",
        "list": [1, "two", 3.0],
        "dict": {"a": {"b": [1, 2]}},
    }
    assert seen["channels"] == {"train": ["train/local.csv"], "more": ["more/remote.csv"]}
    assert seen["environment"] == {
        "GREETING": "hello world",
        "SM_MODEL_DIR": "/opt/ml/model",
        "SM_CURRENT_HOST": "algo-1",
        "SM_HOSTS": '["algo-1"]',
    }
    assert (seen["installed"], seen["module"], seen["directory"]) == ("iniconfig", "helper", "/opt/ml/input/data/code")


def test_what_a_model_trainer_installs_was_installed_before(training: Facts) -> None:
    assert training["script pip"] == ["Requirement already satisfied: iniconfig==2.0.0"]


def test_a_model_trainers_job_leaves_its_outputs_metrics_tags_and_log(training: Facts) -> None:
    assert training["script artifacts"] is True
    assert training["script output data"] is True
    assert training["script note"] == "extra output"
    assert training["script metrics"] == [["accuracy", 0.75]]
    assert training["script limit"] == 600
    assert training["script tags"] == [["team", "red"]]
    assert "[brackets] and /a/path[0]" in training["log"]


def test_a_model_trainer_runs_a_command_from_s3_with_arguments_as_they_were(training: Facts) -> None:
    assert training["command status"] == "Completed"
    assert training["command lines"] == ['told ["--a", "two words", "3", "$HOME"]', 'hps {"alpha": 0.5}']


def test_a_failing_script_raises_with_its_own_last_line(training: Facts) -> None:
    kind, words = training["failing"]
    assert kind == "FailedStatusError"
    assert "The log's last traceback: ValueError: the data has no column price, exit code: 1" in words
    assert training["failing status"] == "Failed"


def test_the_built_in_xgboost_trains_from_its_image_alone(training: Facts) -> None:
    assert training["xgboost status"] == "Completed"
    assert training["xgboost metrics"] == ["train:rmse", "validation:rmse"]


def test_a_model_trainer_runs_in_each_of_its_modes(training: Facts) -> None:
    assert training["mode archive"] == ["Completed", ["told packed"]]
    assert training["mode shell"] == ["Completed", ["told ./run.sh --rate 2"]]
    assert training["mode hosts"] == ["Completed", [f'told algo-{n} ["algo-1", "algo-2"]' for n in (1, 2)]]
    assert training["mode first"] == ["Completed", ["told []"]]
    assert training["mode second"] == ["Completed", ["told ['one']"]]
    assert training["mode xgboost"] == ["Completed", ["told 1.7.4"]]
    assert training["mode network"] == ["Completed", ["told reached"]]
    assert training["mode no network"][0] == "Completed"
    assert training["mode no network"][1] != ["told reached"]
    assert training["mode file"] == [
        "Completed",
        ['told {"rate": 0.5, "deep": {"list": [1, "two"]}} False main.py'],
    ]
    assert training["mode driver"] == ["Completed", ["told script", "told script"]]
    assert training["mode dry"] is True
    assert "sagehouse does not implement TensorBoardOutputConfig" in training["mode board"][1]


def test_training_jobs_are_resources(training: Facts) -> None:
    assert training["resource created"] == [True, "InProgress"]
    assert (training["resource ended"], training["resource transitions"]) == ("Completed", TRANSITIONS)
    assert training["resource timeout"] == "TimeoutExceededError"
    assert training["resource stopped"] == ["Stopped", "Stopped"]
    assert training["resource same"] is True
    assert training["resource completed"] == ["-a"]
    assert training["resource newest"] == ["-b", True]
    assert training["resource missing"][1].endswith("DescribeTrainingJob operation: Requested resource not found.")
    assert training["resource taken"][0] == "ResourceInUse"
    assert training["resource deleted"] == []


def test_a_script_processor_runs_a_local_file_with_inputs_outputs_and_arguments(processing: Facts) -> None:
    assert processing["script status"] == ["Completed", "all words written"]
    assert (processing["script lower"], processing["script upper"]) == ("hello world", "HELLO WORLD")
    assert processing["script default output"] is True
    assert processing["script tags"] == [["team", "red"]]
    assert 'arguments ["--rate", "0.5", "two words"] hello' in processing["log"]


def test_a_framework_processor_brings_its_directory_and_requirements(processing: Facts) -> None:
    assert processing["framework status"] == "Completed"
    assert processing["framework found"] == "helper iniconfig --x 1"
    assert processing["framework pip"] == ["Requirement already satisfied: iniconfig==2.0.0"]


def test_a_failing_processing_script_is_told_by_its_last_line(processing: Facts) -> None:
    kind, words = processing["failing"]
    assert kind == "FailedStatusError"
    assert "AlgorithmError: KeyError: 'price', exit code: 1" in words


def test_processing_jobs_are_resources(processing: Facts) -> None:
    assert processing["resource created"] == "InProgress"
    assert (processing["resource ended"], processing["resource output"]) == ("Completed", "blue\n")
    assert processing["resource stopped"] == "Stopped"
    assert processing["resource same"] is True
    assert (processing["resource all"], processing["resource some"]) == (["-b", "-a"], ["-b"])
    assert processing["resource missing"][1].endswith("Requested resource not found.")
    assert processing["resource taken"][0] == "ResourceInUse"
    assert processing["resource deleted"] == []


def test_a_model_builder_builds_and_deploys_and_its_endpoint_answers(hosting: Facts) -> None:
    assert hosting["builder model"] == [
        True,
        [
            "COLOUR",
            "SAGEMAKER_CONTAINER_LOG_LEVEL",
            "SAGEMAKER_PROGRAM",
            "SAGEMAKER_REGION",
            "SAGEMAKER_SUBMIT_DIRECTORY",
        ],
    ]
    assert hosting["builder tags"] == [["team", "red"]]
    assert hosting["builder endpoint"] == ["Endpoint", "InService"]
    assert hosting["builder json"] == [[3.0], "application/json", "AllTraffic"]
    assert hosting["builder csv"] == "3.0\n7.0\n"


def test_the_sdks_serializers_speak_with_the_endpoint(hosting: Facts) -> None:
    assert hosting["builder text/csv"] == [["3.0"], ["7.0"]]
    assert hosting["builder application/json"] == [11.0]
    assert hosting["builder application/x-npy"] == [15.0]


def test_what_the_model_raises_reaches_the_caller(hosting: Facts) -> None:
    kind, words = hosting["builder model error"]
    assert kind == "ModelError"
    assert 'Received server error (500) from primary with message "ValueError: minus one is not a price"' in words
    kind, words = hosting["builder content type"]
    assert kind == "ModelError"
    assert "Received client error (415) from primary with message" in words


def test_an_endpoint_is_updated_and_deleted(hosting: Facts) -> None:
    assert hosting["builder updating"] == "Updating"
    assert hosting["builder updated"] == [True, "103.0\n107.0\n"]
    assert "Could not find endpoint" in hosting["builder gone"][1]


def test_a_transformer_filters_joins_and_writes_beside_its_input(hosting: Facts) -> None:
    assert hosting["transform status"] == "Completed"
    assert hosting["transform output"] == "id1,3.0\nid2,7.0\n"
    assert hosting["transform attached"][0] is True
    assert hosting["transform all"] == [True]
    assert hosting["transform stopped"] == "Stopped"
    assert "No S3 objects found under S3 URL" in hosting["transform without input"][1]
    assert "the transform job is in status Completed" in hosting["transform stopped late"][1]


def test_models_configurations_and_endpoints_are_resources(hosting: Facts) -> None:
    assert [name.split("-", 3)[3:] for name in hosting["raw models"]] == [[], ["v2"]]
    assert hosting["raw variants"] == [["main", 1]]
    assert hosting["raw answer"] == "3.0\n7.0\n"
    assert hosting["raw in service"] == [True]
    assert "Cannot create already existing endpoint configuration" in hosting["raw config in twice"][1]
    assert "Cannot create already existing endpoint" in hosting["raw endpoint taken"][1]
    assert "Could not find model" in hosting["raw model gone"][1]


def test_an_endpoint_whose_model_cannot_be_loaded_fails_and_says_why(hosting: Facts) -> None:
    kind, words = hosting["raw endpoint without model_fn"]
    assert kind == "FailedStatusError"
    assert "did not pass the ping health check" in words
    assert "Please provide a model_fn implementation" in words


def test_models_are_registered_approved_and_deployed_from_the_registry(hosting: Facts) -> None:
    assert hosting["registry arn"] == "GROUP/1"
    assert hosting["registry second"] == [2, "Rejected", "Completed"]
    assert hosting["registry versions"] == [[1, "PendingManualApproval"], [2, "Rejected"]]
    assert hosting["registry waiting"] == [1]
    assert hosting["registry metrics"] == "statistics.json"
    assert hosting["registry approved"] == ["Approved", "good", {"owner": "red"}]
    assert hosting["registry groups"] == [[True, "Completed"]]
    assert hosting["registry alone"] == [True, "Completed"]
    assert hosting["registry answer"] == "10.0\n"
    assert hosting["registry group in use"][0] == "ConflictException"
    assert hosting["registry group gone"][1].endswith("does not exist.")


def without_number(name: str) -> str:
    """The SDK numbers a builder that has no name at random."""
    return re.sub("-model-[0-9a-f]{8}", "", name)


def test_a_pipeline_processes_trains_evaluates_and_registers(pipeline: Facts) -> None:
    assert pipeline["created"].endswith(":pipeline/sdk3-pipeline")
    assert pipeline["described"] == ["Active", "first"]
    assert pipeline["good status"] == "Succeeded"
    steps = [[without_number(name), status, metadata] for name, status, metadata in pipeline["good steps"]]
    assert steps == [
        ["Create", "Succeeded", ["Model"]],
        ["Evaluate", "Succeeded", ["ProcessingJob"]],
        ["GoodEnough", "Succeeded", ["Condition"]],
        ["Register", "Succeeded", ["RegisterModel"]],
        ["Register-RepackModel", "Succeeded", ["TrainingJob"]],
        ["Split", "Succeeded", ["ProcessingJob"]],
        ["Train", "Succeeded", ["TrainingJob"]],
    ]
    assert pipeline["good parameters"] == ["4", "0.75", "ml.m5.large"]
    assert pipeline["good package"] == [1, "PendingManualApproval"]
    archive, environment = pipeline["good repacked"]
    assert archive == "model.tar.gz"
    assert ["SAGEMAKER_SUBMIT_DIRECTORY", "/opt/ml/model/code"] in environment
    assert pipeline["good metrics"] is True


def test_a_pipeline_is_updated_and_its_gate_closes(pipeline: Facts) -> None:
    assert pipeline["updated"] == ["second", ["stage", "team"]]
    assert pipeline["bad wait"] == "Waiter PipelineExecutionComplete failed"
    assert pipeline["bad status"][0] == "Failed"
    assert "TooBad: accuracy below 1.5" in pipeline["bad status"][1]
    steps = {without_number(name): status for name, status in pipeline["bad steps"]}
    assert (steps["GoodEnough"], steps["TooBad"], "Register" in steps) == ("Succeeded", "Failed", False)
    condition, fail = pipeline["bad outcome"]
    assert condition == {"Condition": {"Outcome": "False"}}
    assert fail == {"Fail": {"ErrorMessage": "accuracy below 1.5"}}
    assert pipeline["bad cached"] is True


def test_pipelines_and_executions_are_listed_stopped_and_deleted(pipeline: Facts) -> None:
    assert pipeline["stopped"] == "Stopped"
    assert pipeline["executions"] == [["good", "Succeeded"], ["bad", "Failed"], ["stopped", "Stopped"]]
    assert pipeline["pipelines"] == ["sdk3-pipeline"]
    assert pipeline["execution resource"] == ["Succeeded", "good"]
    assert len(pipeline["execution steps"]) == 7
    assert "sagehouse does not implement scheduler" in pipeline["triggers"]
    assert "(ResourceNotFound)" in pipeline["deleted"]


def test_conditions_and_parameters_of_every_kind(pipeline: Facts) -> None:
    gate = ["Gate", "Succeeded", ""]
    assert pipeline["conditions met"] == [gate, ["Yes", "Failed", "3-x-sdk3-conditions"]]
    assert pipeline["conditions not met"] == [gate, ["No", "Failed", "not so"]]
    assert "Parameter [Count] is of type Integer, 'many' is not." in pipeline["conditions type"]
    assert "Unknown parameter [Nobody]" in pipeline["conditions unknown"]


def test_a_pipeline_transforms_and_a_failing_step_says_why(pipeline: Facts) -> None:
    steps = {name: [status, reason] for name, status, reason in pipeline["transform steps"]}
    check = steps.pop("Check")
    assert steps == {name: ["Succeeded", ""] for name in ("Apply", "Create", "Train")}
    assert check[0] == "Failed"
    assert "AlgorithmError: ValueError: no such column, exit code: 1" in check[1]
    assert pipeline["transform answers"] == [True, True]


def test_functions_run_as_jobs_and_their_values_and_errors_come_back(functions: Facts) -> None:
    assert functions["raised"] == "division by zero"
    assert functions["steps"] == [["add", "Succeeded"], ["double", "Succeeded"]]
    assert functions["result"] == 42


def test_an_inference_specification_is_served_as_it_was_pickled(functions: Facts) -> None:
    assert functions["served"] == [[7.0, 21.0]]


def test_the_session_moves_files(session: Facts) -> None:
    assert session["bucket"] == "sagemaker-us-east-1-123456789012"
    assert session["account"] == ["123456789012", "us-east-1", session["role"]]
    assert session["listed"] == session["downloaded"] == ["a.txt", "deep/b.txt"]
    assert (session["read"], session["string"], session["s3"]) == ("two", "c.txt", "one")
    assert session["own bucket"] == "s3://my-own-bucket-STAMP/team/red/x/a.txt"


def test_roles_are_resolved_made_and_refused(session: Facts) -> None:
    role = "arn:aws:iam::123456789012:role/SageMakerRole"
    resolved = [session[f"role {role_type}"] for role_type in ("training", "serving", "pipeline", "by name")]
    assert [session["role"], *resolved] == [role] * 5
    assert session["role made works"] is True
    assert "does not exist" in session["role by unknown name"][1]
    kind, words = session["role of another service"]
    assert kind == "RoleValidationError"
    assert "Its trust policy does not allow 'sagemaker.amazonaws.com' to assume it" in words


def test_tags_are_added_and_deleted(session: Facts) -> None:
    assert session["tags"] == [["b", "2"], ["c", "3"]]


@pytest.mark.parametrize(
    ("asked", "named"),
    [
        ("tuner", "sagemaker CreateHyperParameterTuningJob"),
        ("two variants", "ProductionVariants of more than one variant"),
        ("async", "AsyncInferenceConfig"),
        ("capture", "DataCaptureConfig.EnableCapture True"),
        ("shadow", "ShadowProductionVariants"),
        ("multi model", "PrimaryContainer.Mode MultiModel"),
        ("component", "sagemaker CreateInferenceComponent"),
        ("invoke async", "sagemaker-runtime InvokeEndpointAsync"),
        ("invoke stream", "sagemaker-runtime InvokeEndpointWithResponseStream"),
        ("feature group", "sagemaker CreateFeatureGroup"),
        ("feature groups", "sagemaker ListFeatureGroups"),
        ("record", "sagemaker-featurestore-runtime PutRecord"),
        ("domains", "sagemaker ListDomains"),
        ("experiment", "sagemaker CreateExperiment"),
        ("monitoring", "sagemaker ListMonitoringSchedules"),
        ("card", "sagemaker ListModelCards"),
        ("group policy", "sagemaker PutModelPackageGroupPolicy"),
    ],
)
def test_what_is_not_there_yet_says_so_by_name_and_at_once(asked: str, named: str, session: Facts) -> None:
    _, words = session[asked]
    assert f"sagehouse does not implement {named}" in words
    assert f"{asked} slowly" not in session


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ("image", "my-own:latest' cannot be run here. Known images are"),
        ("pytorch", "pytorch-training:2.3-cpu-py311' cannot be run here. Known images are"),
        ("callback", "not implemented: step type 'Callback'. Step types that run:"),
        ("invoke missing", "Endpoint no-such-endpoint of account 123456789012 not found."),
    ],
)
def test_what_cannot_run_here_is_refused_before_it_starts(asked: str, words: str, session: Facts) -> None:
    assert words in session[asked][1]
