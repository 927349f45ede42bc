"""The packages of AWS's containers that users' scripts import, as scripts of public examples use them."""

import json
from collections.abc import Iterator

import pytest
from tests.unit.toolkit.job import SOURCES, Job
from tests.unit.toolkit.test_serve import House

STAND_INS = SOURCES / "sagehouse/toolkit/stand_ins"
FEATURIZER = """
import json
from sagemaker_containers.beta.framework import content_types, encoders, env, errors, modules, transformer, worker

def model_fn(model_dir): return 2
def input_fn(body, content_type):
    if content_type not in content_types.UTF8_TYPES:
        raise errors.UnsupportedFormatError(content_type)
    return json.loads(body)
def predict_fn(data, model): return [value * model for value in data]
def output_fn(prediction, accept):
    if accept == "text/teapot":
        return worker.Response("short and stout", accept, status=418)
    return worker.Response(encoders.encode(prediction, accept), mimetype=accept)
"""


@pytest.fixture
def house(job: Job) -> Iterator[House]:
    job.environment["PYTHONPATH"] += f":{STAND_INS}"
    made = House(job)
    yield made
    for client in made.clients:
        client.close()
    for process in made.processes:
        process.terminate()
        process.communicate(timeout=20)


def test_a_featurizer_answers_with_the_worker_response_of_older_containers(house: House):
    client = house.serve(FEATURIZER)

    def ask(accept: str, content_type: str = "application/json") -> tuple[int, str, bytes]:
        return client.ask("POST", "/invocations", b"[1, 2]", Content_Type=content_type, Accept=accept)

    assert ask("application/json") == (200, "application/json", b"[2, 4]")
    assert ask("text/teapot") == (418, "text/teapot", b"short and stout")
    assert ask("image/png")[0] == 406
    assert ask("application/json", "image/png")[0] == 415


def test_a_script_may_build_on_the_inference_toolkit(house: House):
    client = house.serve(
        """
import json
from sagemaker_inference import content_types, decoder, default_inference_handler, encoder, errors
class Handler(default_inference_handler.DefaultInferenceHandler):
    pass
def model_fn(model_dir): return Handler()
def input_fn(body, content_type):
    if content_type == content_types.NPY:
        raise errors.UnsupportedFormatError(content_type)
    return json.loads(body)
def predict_fn(data, model): return model.default_output_fn(data, content_types.JSON)[0].decode()
def output_fn(prediction, accept): return encoder.encode([prediction], accept), accept
"""
    )
    asked = {"Accept": "application/json"}
    assert client.ask("POST", "/invocations", b"[1, 2]", Content_Type="application/json", **asked)[2] == b'["[1, 2]"]'
    assert client.ask("POST", "/invocations", b"", Content_Type="application/x-npy", **asked)[0] == 415


def test_a_training_script_may_ask_for_its_job_as_an_object(job: Job):
    job.environment["PYTHONPATH"] += f":{STAND_INS}"
    job.script(
        """
import json, sagemaker_containers
from sagemaker_containers import entry_point
from sagemaker_training import environment, logging_config
entry_point._wait_hostname_resolution()
env = environment.Environment()
assert sagemaker_containers.training_env().properties() == env.properties()
logging_config.get_logger().info("quiet")
print(json.dumps([env.hyperparameters, env.channel_input_dirs, env.model_dir, env.hosts, env.is_master, env.job_name,
                  env.to_cmd_args(), env.to_env_vars()["SM_HP_EPOCHS"], env.num_gpus]))
try:
    env.nonsense
except AttributeError as error:
    print(error)
try:
    entry_point.run
except AttributeError as error:
    print(error)
""",
        epochs="10",
    )
    ran = job.train()
    told = next(json.loads(line) for line in ran.stdout.splitlines() if line.startswith("[{"))
    base = str(job.base)
    channels = {"train": f"{base}/input/data/train"}
    assert told == [
        {"epochs": 10},
        channels,
        f"{base}/model",
        ["algo-1"],
        True,
        "a-job",
        ["--epochs", "10"],
        "10",
        0,
    ]
    assert "has no 'nonsense'; it has additional_framework_parameters," in ran.stdout
    assert "sagehouse does not implement sagemaker_containers.entry_point.run" in ran.stdout
