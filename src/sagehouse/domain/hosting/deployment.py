"""One configuration of an endpoint brought to life: its variant, what it serves, its replicas.

Kept in the endpoint's document under "_Hosting", so that a new control plane finds what the last one left running.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

from sagehouse.domain.hosting.container import Container
from sagehouse.kit.document import Document
from sagehouse.kit.errors import Invalid

DEFAULT_STARTUP_S = 480.0
"""Until a container must answer its first ping. Source: developer guide, "How containers serve inference requests"."""
MEMBER = "_Hosting"


@dataclass(frozen=True, slots=True, kw_only=True)
class Replica:
    """A model server. Its instance stays the same over attempts, as an instance whose container is restarted does."""

    instance_id: str
    attempt: int = 0
    handle: Document | None = None
    """Of this attempt's workload, once it is known to have been started."""

    @property
    def workload_id(self) -> str:
        return f"{self.instance_id}-{self.attempt}"

    def next_attempt(self) -> "Replica":
        return Replica(instance_id=self.instance_id, attempt=self.attempt + 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    name: str
    model_name: str
    weight: float
    instance_count: int
    instance_type: str
    startup_s: float

    @classmethod
    def from_config(cls, config: Document) -> Self:
        """Return the one variant of an EndpointConfig; Invalid, naming the member, for what is not implemented."""
        for member in ("AsyncInferenceConfig", "ExplainerConfig", "ShadowProductionVariants"):
            if config.get(member):
                raise Invalid(f"{member} of an endpoint configuration is not implemented.")
        if (config.get("DataCaptureConfig") or {}).get("EnableCapture"):
            raise Invalid("DataCaptureConfig of an endpoint configuration is not implemented.")
        variants = config["ProductionVariants"]
        if len(variants) != 1:
            raise Invalid(f"The configuration has {len(variants)} production variants; exactly one is implemented.")
        document = variants[0]
        for member in ("ServerlessConfig", "InstancePools", "ManagedInstanceScaling"):
            if document.get(member):
                raise Invalid(f"{member} of a production variant is not implemented.")
        if not document.get("ModelName"):
            raise Invalid("The production variant names no model; inference components are not implemented.")
        startup = document.get("ContainerStartupHealthCheckTimeoutInSeconds")
        return cls(
            name=document["VariantName"],
            model_name=document["ModelName"],
            weight=float(document.get("InitialVariantWeight", 1.0)),
            instance_count=document.get("InitialInstanceCount", 1),
            instance_type=document.get("InstanceType", ""),
            startup_s=float(startup) if startup else DEFAULT_STARTUP_S,
        )

    def to_document(self) -> Document:
        return {
            "Name": self.name,
            "ModelName": self.model_name,
            "Weight": self.weight,
            "InstanceCount": self.instance_count,
            "InstanceType": self.instance_type,
            "StartupSeconds": self.startup_s,
        }

    @classmethod
    def from_document(cls, document: Document) -> Self:
        return cls(
            name=document["Name"],
            model_name=document["ModelName"],
            weight=document["Weight"],
            instance_count=document["InstanceCount"],
            instance_type=document["InstanceType"],
            startup_s=document["StartupSeconds"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    revision: int
    config_name: str
    variant: Variant
    container: Container
    replicas: Sequence[Replica]

    @classmethod
    def plan(
        cls, *, arn: str, created_at: float, revision: int, config_name: str, variant: Variant, container: Container
    ) -> Self:
        """Return a deployment of which nothing runs yet; its instances' ids are its own for ever."""
        replicas = [
            Replica(instance_id=instance_id(f"{arn}\n{created_at:.6f}\n{revision}\n{number}"))
            for number in range(variant.instance_count)
        ]
        return cls(revision=revision, config_name=config_name, variant=variant, container=container, replicas=replicas)

    def with_replica(self, changed: Replica) -> "Deployment":
        """Return it with news of a replica; news of an attempt that is over changes nothing."""

        def is_meant(one: Replica) -> bool:
            return one.instance_id == changed.instance_id and one.attempt <= changed.attempt

        return replace(self, replicas=[changed if is_meant(one) else one for one in self.replicas])

    def to_document(self) -> Document:
        return {
            "Revision": self.revision,
            "ConfigName": self.config_name,
            "Variant": self.variant.to_document(),
            "Container": self.container.to_document(),
            "Replicas": [
                {"InstanceId": one.instance_id, "Attempt": one.attempt, "Handle": one.handle} for one in self.replicas
            ],
        }

    @classmethod
    def from_document(cls, document: Document) -> Self:
        return cls(
            revision=document["Revision"],
            config_name=document["ConfigName"],
            variant=Variant.from_document(document["Variant"]),
            container=Container.from_document(document["Container"]),
            replicas=[
                Replica(instance_id=one["InstanceId"], attempt=one["Attempt"], handle=one["Handle"])
                for one in document["Replicas"]
            ],
        )

    def summary(self, *, now: float) -> Document:
        """Return the ProductionVariantSummary of DescribeEndpoint. `now` is when the image was resolved."""
        image = {"SpecifiedImage": self.container.image, "ResolvedImage": self.container.image, "ResolutionTime": now}
        return {
            "VariantName": self.variant.name,
            "DeployedImages": [image],
            "CurrentWeight": self.variant.weight,
            "DesiredWeight": self.variant.weight,
            "CurrentInstanceCount": self.variant.instance_count,
            "DesiredInstanceCount": self.variant.instance_count,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Hosting:
    """Invariant: a replica belongs to exactly one deployment; revisions only grow."""

    live: Deployment | None = None
    """Answers requests."""
    next: Deployment | None = None
    """Is being brought up to take its place."""
    old: Sequence[Deployment] = ()
    """Answer no more, may still run."""
    revision: int = 0
    """Of the newest deployment ever."""

    @property
    def deployments(self) -> list[Deployment]:
        return [one for one in (self.live, self.next, *self.old) if one is not None]

    def with_replica(self, revision: int, changed: Replica) -> "Hosting":
        """Return it with the next version of a replica; unchanged if its deployment is gone."""

        def updated(one: Deployment | None) -> Any:
            return one.with_replica(changed) if one is not None and one.revision == revision else one

        return replace(self, live=updated(self.live), next=updated(self.next), old=[updated(one) for one in self.old])

    def promoted(self) -> "Hosting":
        """Return it with the new deployment in the place of the live one."""
        return replace(self, live=self.next, next=None, old=[*self.old, *([self.live] if self.live else [])])

    def abandoned(self) -> "Hosting":
        return replace(self, next=None, old=[*self.old, *([self.next] if self.next else [])])

    def without_old(self, revision: int) -> "Hosting":
        return replace(self, old=[one for one in self.old if one.revision != revision])

    @classmethod
    def of(cls, endpoint: Document) -> Self:
        document = endpoint.get(MEMBER) or {}

        def read(value: Document | None) -> Deployment | None:
            return Deployment.from_document(value) if value else None

        return cls(
            live=read(document.get("Live")),
            next=read(document.get("Next")),
            old=[Deployment.from_document(one) for one in document.get("Old", ())],
            revision=document.get("Revision", 0),
        )

    def to_document(self) -> Document:
        return {
            "Live": self.live.to_document() if self.live else None,
            "Next": self.next.to_document() if self.next else None,
            "Old": [one.to_document() for one in self.old],
            "Revision": self.revision,
        }


def instance_id(what: str) -> str:
    """Return an id in the form of EC2's, the same for the same text: "i-0123456789abcdef0"."""
    return f"i-{hashlib.sha256(what.encode()).hexdigest()[:17]}"


def wanted_config(endpoint: Document) -> str:
    """Return the configuration an endpoint is to have: the pending one of an update, else its own."""
    pending: Document = endpoint.get("PendingDeploymentSummary") or {}
    name: str = pending.get("EndpointConfigName") or endpoint["EndpointConfigName"]
    return name
