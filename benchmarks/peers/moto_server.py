"""moto's own server, its SageMaker backend filled with the CreateTrainingJob requests read from standard input."""

import json
import logging
import sys

from moto.sagemaker.models import sagemaker_backends
from moto.server import ThreadedMotoServer

_MEMBERS = {
    "TrainingJobName": "training_job_name",
    "HyperParameters": "hyper_parameters",
    "AlgorithmSpecification": "algorithm_specification",
    "RoleArn": "role_arn",
    "InputDataConfig": "input_data_config",
    "OutputDataConfig": "output_data_config",
    "ResourceConfig": "resource_config",
    "StoppingCondition": "stopping_condition",
}
_LEFT_OUT = (
    *("vpc_config", "tags", "enable_network_isolation", "enable_inter_container_traffic_encryption"),
    *("enable_managed_spot_training", "checkpoint_config", "debug_hook_config", "debug_rule_configurations"),
    *("tensor_board_output_config", "experiment_config"),
)


def main() -> None:
    """Fill the backend, then serve until killed."""
    backend = sagemaker_backends["123456789012"]["us-east-1"]
    for asked in json.load(sys.stdin):
        given = {_MEMBERS[member]: value for member, value in asked.items()}
        backend.create_training_job(**given, **dict.fromkeys(_LEFT_OUT))
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    print(f"http://{host}:{port}", flush=True)
    server._thread.join()


main()
