"""The SM_* environment variables a training script reads."""

import json
import os

from sagehouse.toolkit import paths
from sagehouse.toolkit.arguments import arguments

DISTRIBUTIONS = (
    "sagemaker_mpi_enabled",
    "sagemaker_parameter_server_enabled",
    "sagemaker_distributed_dataparallel_enabled",
    "sagemaker_pytorch_ddp_enabled",
    "sagemaker_pytorch_xla_multi_worker_enabled",
    "sagemaker_multi_worker_mirrored_strategy_enabled",
    "sagemaker_torch_distributed_enabled",
)
_TOOLKITS_OWN = (
    "sagemaker_program",
    "sagemaker_submit_directory",
    "sagemaker_enable_cloudwatch_metrics",
    "sagemaker_region",
    "sagemaker_container_log_level",
    "sagemaker_job_name",
    "default_user_module_name",
    "_tuning_objective_metric",
    "sagemaker_s3_output",
)


def variables(job):
    """Return every SM_* variable of `job`, a Configuration: text as it is, everything else as compact JSON.

    Names are upper-cased and dashes kept: SM_HP_BATCH-SIZE. Source: sagemaker-training 5.1.4,
    environment.Environment.to_env_vars and mapping.to_env_vars.
    """
    facts = _facts(job)
    for channel in job.channels:
        facts["channel_" + channel] = paths.DATA + "/" + channel
    for name, value in job.hyperparameters.items():
        facts["hp_" + name] = value
    return {"SM_" + name.upper(): _text(value) for name, value in facts.items()}


def training_environment(job):
    """Return the facts of `job` under the toolkit's property names: what SM_TRAINING_ENV holds."""
    return _facts(job)["training_env"]


def _facts(job):
    program = job.program
    module = program[:-3] if program and program.endswith(".py") else program
    distributed = _distributed_groups(job)
    log_level = job.platform.get("sagemaker_container_log_level", 20)
    facts = {
        "hosts": job.hosts,
        "network_interface_name": job.network_interface,
        "hps": job.hyperparameters,
        "user_entry_point": program,
        "framework_params": {k: v for k, v in job.platform.items() if k not in _TOOLKITS_OWN},
        "resource_config": job.resources,
        "input_data_config": job.channels,
        "output_data_dir": paths.OUTPUT_DATA,
        "channels": sorted(job.channels),
        "current_host": job.host,
        "current_instance_type": job.instance_type,
        "current_instance_group": job.group,
        "current_instance_group_hosts": job.groups.get(job.group, {}).get("hosts", []),
        "instance_groups": list(job.groups),
        "instance_groups_dict": job.groups,
        "distribution_instance_groups": distributed,
        "is_hetero": len(job.groups) > 1,
        "module_name": module,
        "log_level": log_level,
        "framework_module": os.environ.get("SAGEMAKER_TRAINING_MODULE"),
        "input_dir": paths.INPUT,
        "input_config_dir": paths.CONFIG,
        "output_dir": paths.OUTPUT,
        "num_cpus": _cpus(),
        "num_gpus": _devices("nvidia"),
        "num_neurons": _devices("neuron"),
        "model_dir": paths.MODEL,
        "module_dir": job.submitted,
        "user_args": arguments(job.hyperparameters),
        "output_intermediate_dir": paths.INTERMEDIATE,
    }
    if job.resources.get("topology"):
        facts["topology"] = job.resources["topology"]
    facts["training_env"] = _training_env(job, facts)
    return facts


def _training_env(job, facts):
    """Return SM_TRAINING_ENV: the same facts under the toolkit's property names."""
    master = (_distribution_hosts(job, facts["distribution_instance_groups"]) or job.hosts)[0]
    renamed = {"hps", "framework_params", "channels", "user_args"}
    return {
        **{name: value for name, value in facts.items() if name not in renamed},
        "additional_framework_parameters": facts["framework_params"],
        "channel_input_dirs": {channel: paths.DATA + "/" + channel for channel in job.channels},
        "distribution_hosts": _distribution_hosts(job, facts["distribution_instance_groups"]),
        "hyperparameters": job.hyperparameters,
        "is_master": job.host == master,
        "is_modelparallel_enabled": None,
        "is_smddpmprun_installed": False,
        "is_smddprun_installed": False,
        "job_name": os.environ.get("TRAINING_JOB_NAME"),
        "master_hostname": master,
        "topology": job.resources.get("topology", []),
    }


def _distributed_groups(job):
    named = job.platform.get("sagemaker_distribution_instance_groups")
    if named is not None:
        return named
    return [job.group] if any(job.platform.get(name) for name in DISTRIBUTIONS) else []


def _distribution_hosts(job, distributed):
    if not job.groups:
        return list(job.hosts)
    return [host for name, group in job.groups.items() if name in distributed for host in group["hosts"]]


def _cpus():
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _devices(kind):
    """Count /dev/nvidia0, /dev/nvidia1, ...: what `nvidia-smi --list-gpus` would say, without starting it."""
    try:
        return sum(1 for name in os.listdir("/dev") if name.startswith(kind) and name[len(kind) :].isdigit())
    except OSError:
        return 0


def _text(value):
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
