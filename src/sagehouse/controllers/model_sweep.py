"""Directories of model servers that nobody owns any more, removed."""

import asyncio

from sagehouse.controllers.jobs_directory import remove_quietly
from sagehouse.controllers.model_server import Place
from sagehouse.controllers.transforms_servers import replicas_of
from sagehouse.controllers.workload_ports import WorkloadPorts
from sagehouse.domain.hosting.deployment import Hosting, Replica
from sagehouse.domain.lifecycle import ENDPOINT, TRANSFORM_JOB


async def sweep(ports: WorkloadPorts) -> None:
    """Remove what servers left whose endpoint or job ended while nobody was there to clean up, and unused models.

    Directories made while it looks are safe: it looks at directories first, and every owner is stored before its own.
    """
    ports.servers.mkdir(parents=True, exist_ok=True)
    found = [path for path in ports.servers.iterdir() if path.is_dir() and path != ports.models.directory]
    owners = await _owners(ports)
    kept = {Place.of(ports.servers, one.instance_id).root for one in owners}
    for path in found:
        if path not in kept:
            await asyncio.to_thread(remove_quietly, path)
    await ports.models.prune(ports.servers)


async def _owners(ports: WorkloadPorts) -> list[Replica]:
    endpoints = await ports.catalog.with_status(ENDPOINT.kind, tuple(ENDPOINT.moves))
    jobs = await ports.catalog.with_status(TRANSFORM_JOB.kind, TRANSFORM_JOB.unfinished)
    deployments = [deployment for one in endpoints for deployment in Hosting.of(one.document).deployments]
    return [
        *(replica for deployment in deployments for replica in deployment.replicas),
        *(replica for job in jobs for replica in replicas_of(job)),
    ]
