"""The machines a job believes to run on, and the file that tells it about them."""

from collections.abc import Sequence
from dataclasses import dataclass

from sagehouse.kit.document import Document

HOMOGENEOUS = "homogeneousCluster"
"""The group's name when no groups are asked for. Source: observed resourceconfig.json of training jobs."""

INTERFACE = "lo"
"""Hosts of a job are process groups with loopback addresses: AWS says eth0, but this is where they reach each other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    name: str
    instance_type: str
    hosts: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    groups: Sequence[Group]

    @property
    def hosts(self) -> tuple[str, ...]:
        """algo-1 to algo-n, numbered through all groups."""
        return tuple(host for group in self.groups for host in group.hosts)

    def group_of(self, host: str) -> Group:
        return next(group for group in self.groups if host in group.hosts)


def cluster_of(config: Document) -> Cluster:
    """Return the cluster of a ResourceConfig or ClusterConfig."""
    wanted = config.get("InstanceGroups") or [
        {
            "InstanceGroupName": HOMOGENEOUS,
            "InstanceType": config.get("InstanceType", ""),
            "InstanceCount": config.get("InstanceCount", 1),
        }
    ]
    groups: list[Group] = []
    first = 1
    for group in wanted:
        count = int(group["InstanceCount"])
        hosts = tuple(f"algo-{number}" for number in range(first, first + count))
        groups.append(Group(name=group["InstanceGroupName"], instance_type=group["InstanceType"], hosts=hosts))
        first += count
    return Cluster(groups=tuple(groups))


def resource_config(cluster: Cluster, host: str) -> Document:
    """Return resourceconfig.json as training containers get it.

    Source: sagemaker-training, environment.read_resource_config.
    """
    group = cluster.group_of(host)
    return {
        "current_host": host,
        "current_instance_type": group.instance_type,
        "current_group_name": group.name,
        "hosts": list(cluster.hosts),
        "instance_groups": [
            {"instance_group_name": one.name, "instance_type": one.instance_type, "hosts": list(one.hosts)}
            for one in cluster.groups
        ],
        "network_interface_name": INTERFACE,
    }
