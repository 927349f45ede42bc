"""The workload of a job: what the runtime is told to run, and how the script sees its machine."""

from collections.abc import Mapping

from sagehouse.controllers.equipment import Equipment
from sagehouse.controllers.jobs_directory import JobDirectory
from sagehouse.controllers.jobs_stage import Unfit
from sagehouse.domain.instances import instance
from sagehouse.domain.jobs import processing, training
from sagehouse.domain.jobs.failure import refused
from sagehouse.domain.jobs.spec import Spec
from sagehouse.images.image import Image
from sagehouse.kit.document import Document
from sagehouse.ports.catalog import Key
from sagehouse.ports.runtime import Environment, Host, Mount, Workload
from sagehouse.ports.streams import Scope, Streams

TOOLKIT = "/opt/sagehouse"
_GIB = 1024**3
_FILES = {"TrainingJob": training.files_of, "ProcessingJob": processing.files_of}


def log_stream(name: str, host: str, created_at: float) -> str:
    """Return the log stream of one host: "{job}/algo-1-{epoch seconds}"."""
    return f"{name}/{host}-{int(created_at)}"


def environment_mounts(environment: Environment) -> tuple[Mount, ...]:
    """Show the Python environment where it is, writable without harm, and the interpreter it stands on."""
    return (
        Mount(source=environment.base, target=str(environment.base), access="read"),
        Mount(source=environment.path, target=str(environment.path), access="overlay"),
    )


def without_network(*, is_isolated: bool) -> Mapping[str, str]:
    """Tell the toolkit that the house cannot be reached, so that it does not wait for it to come back."""
    return {"SAGEHOUSE_NO_NETWORK": "1"} if is_isolated else {}


def build_workload(
    spec: Spec,
    document: Document,
    *,
    key: Key,
    directory: JobDirectory,
    streams: Streams,
    image: Image,
    equipment: Equipment,
    house: Mapping[str, str],
    toolkit_mounts: tuple[Mount, ...],
) -> Workload:
    """Return the same workload whenever it is asked for the same job; Unfit when there is nothing to run."""
    command = spec.command or (*image.train_command, *spec.arguments)
    if spec.kind == "ProcessingJob" and not spec.command:
        raise Unfit(refused(f"The image {spec.image} has no entrypoint here; name one in ContainerEntrypoint."))
    scope = Scope(account=key.account, region=key.region)
    hosts = [
        Host(
            name=host,
            log=streams.file(scope, spec.log_group, log_stream(spec.name, host, document["CreationTime"])),
            mounts=tuple(directory.mounts(host)),
            files=_FILES[spec.kind](document, host),
        )
        for host in spec.cluster.hosts
    ]
    smallest = instance(spec.cluster.groups[0].instance_type)
    return Workload(
        id=directory.root.name,
        directory=directory.run,
        command=command,
        hosts=hosts,
        environment=_variables(spec, key=key, image=image, equipment=equipment, house=house),
        mounts=(*environment_mounts(equipment.environment), *toolkit_mounts),
        is_network_isolated=spec.is_network_isolated,
        memory_limit_bytes=int(smallest.memory_gib * _GIB) if smallest else None,
        max_runtime_s=spec.max_runtime_s,
    )


def _variables(spec: Spec, *, key: Key, image: Image, equipment: Equipment, house: Mapping[str, str]) -> dict[str, str]:
    """The user's own variables win; the toolkit stays importable whatever PYTHONPATH they choose."""
    variables = {
        **equipment.variables,
        "HOME": "/root",
        "LANG": "C.UTF-8",
        "PYTHONUNBUFFERED": "1",
        "SAGEHOUSE_FRAMEWORK": image.framework,
        **house,
        **without_network(is_isolated=spec.is_network_isolated),
        "AWS_REGION": key.region,
        "AWS_DEFAULT_REGION": key.region,
        **spec.environment,
    }
    chosen = spec.environment.get("PYTHONPATH")
    variables["PYTHONPATH"] = f"{chosen}:{TOOLKIT}" if chosen else TOOLKIT
    return variables
