"""`python -m sagehouse.toolkit.train`: the command `train` of a container. Script mode or a built-in algorithm.

Source: sagemaker-training 5.1.4, trainer.train and entry_point.run.
"""

import os
import sys

from sagehouse.toolkit import entry_point, failure, paths, source, supervise
from sagehouse.toolkit.algorithm import module_of, package_of
from sagehouse.toolkit.arguments import arguments
from sagehouse.toolkit.configuration import configuration
from sagehouse.toolkit.errors import ToolkitError
from sagehouse.toolkit.log import say
from sagehouse.toolkit.script import run_script
from sagehouse.toolkit.variables import DISTRIBUTIONS, variables

_RESOLVE_S = 15 * 60.0
"""Hosts of a cluster may take this long to find each other. Source: sagemaker-training 5.1.4, _dns_lookup."""


def main():
    """Run the job and return its exit code."""
    try:
        job = configuration()
        _refuse_what_is_not_done(job)
        wait_for_hosts(job)
        return _run_program(job) if job.program else _run_algorithm(job)
    except ToolkitError as error:
        say(str(error), "ERROR")
        failure.write_failure(str(error))
        return 1


def _run_program(job):
    source.obtain(job.submitted)
    kind = entry_point.kind_of(job.program, paths.CODE)
    if kind == entry_point.PACKAGE:
        source.pip_install(".", directory=paths.CODE)
    if kind != entry_point.COMMAND:
        source.install_requirements(paths.CODE)
    told = variables(job)
    line = arguments(job.hyperparameters)
    command = entry_point.command_of(kind, job.program, line)
    say("Invoking user script: %s" % " ".join(command))

    def action():
        _enter(job, told)
        if os.environ.get("SAGEMAKER_TRAINING_MODULE"):
            return _framework(os.environ["SAGEMAKER_TRAINING_MODULE"])
        if kind == entry_point.SCRIPT:
            return run_script(job.program, line)
        if kind == entry_point.COMMAND:
            os.chmod(job.program, 0o777)
        return os.execv(command[0], command)

    return _report(supervise.run(action), command)


def _run_algorithm(job):
    """Run the built-in algorithm of the image; the sklearn and plain Python images have none."""
    framework = os.environ.get("SAGEHOUSE_FRAMEWORK", "")
    package = package_of(framework)
    if not package:
        raise ToolkitError(
            "This image has no built-in algorithm and the job names no script: set the hyperparameters "
            "sagemaker_program and sagemaker_submit_directory (the SDK's entry_point does), or ContainerEntrypoint."
        )
    told = variables(job)

    def action():
        _enter(job, told, directory=paths.BASE)
        return module_of(framework, "train").main()

    return _report(supervise.run(action), [sys.executable, "-m", package + ".train"])


def _enter(job, told, directory=paths.CODE):
    """Make this child the script's process: variables, directory, import path, output without delay."""
    os.environ.update(told)
    os.environ["SAGEMAKER_JOB_NAME"] = str(job.platform.get("sagemaker_job_name", ""))
    os.environ["CURRENT_HOST"] = job.host
    os.environ["SAGEMAKER_REGION"] = str(job.platform.get("sagemaker_region") or os.environ.get("AWS_REGION", ""))
    behind = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = paths.CODE + (":" + behind if behind else "")
    os.environ.setdefault("PYTHONUNBUFFERED", "1")
    os.makedirs(directory, exist_ok=True)
    os.chdir(directory)
    sys.stdout.reconfigure(line_buffering=True, write_through=True)


def _framework(named):
    """Hand over to a framework container's own entry point, "package.module:function"."""
    from importlib import import_module

    module, _, function = named.partition(":")
    getattr(import_module(module), function)()
    return 0


def _report(ended, command):
    if ended.code == 0:
        failure.write_success()
        say("Reporting training SUCCESS")
    else:
        failure.write_failure(failure.script_failed(ended.code, ended.stderr, command))
        say("Reporting training FAILURE, exit code %d" % ended.code, "ERROR")
    return ended.code


def _refuse_what_is_not_done(job):
    asked = [name for name in DISTRIBUTIONS if job.platform.get(name)]
    if asked:
        raise ToolkitError(
            "The distribution %s is not available in this image: it starts one process per host." % ", ".join(asked)
        )
    if job.platform.get("sagemaker_s3_output"):
        say("/opt/ml/output/intermediate is not uploaded while the job runs", "WARNING")


def wait_for_hosts(job):
    """Return once every other host has an address. Source: wire contract, "algo-1 must resolve"."""
    others = [host for host in job.hosts if host != job.host]
    if not others or os.environ.get("SM_STUDIO_LOCAL_MODE", "").lower() == "true":
        return
    import socket
    import time

    deadline = time.monotonic() + _RESOLVE_S
    for host in others:
        while True:
            try:
                socket.gethostbyname(host)
                break
            except OSError as error:
                if time.monotonic() > deadline:
                    raise ToolkitError("The host %s has no address: %s." % (host, error)) from error
                time.sleep(0.1)


if __name__ == "__main__":
    sys.exit(main())
