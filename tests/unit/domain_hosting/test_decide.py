"""What happens next to an endpoint."""

from dataclasses import replace

import pytest

from sagehouse.domain.hosting.container import Container
from sagehouse.domain.hosting.decide import (
    Abandon,
    Deploy,
    Promote,
    Remove,
    Rest,
    Restart,
    Seen,
    answering,
    next_step,
    pause_s,
)
from sagehouse.domain.hosting.deployment import MEMBER, Deployment, Hosting, Replica, Variant

VARIANT = Variant(name="V", model_name="m", weight=1.0, instance_count=2, instance_type="", startup_s=60.0)


def a_deployment(revision: int = 1, *, is_started: bool = False) -> Deployment:
    handle = {"Runtime": "process"} if is_started else None
    return Deployment(
        revision=revision,
        config_name=f"config-{revision}",
        variant=VARIANT,
        container=Container(image="i", artifact=None),
        replicas=[Replica(instance_id=f"i-{revision}{letter}", handle=handle) for letter in "ab"],
    )


def an_endpoint(status: str, **members):
    return {"EndpointStatus": status, "EndpointConfigName": "config-1", **members}


def all_are(phase, deployment: Deployment, since: float = 0.0) -> dict[str, Seen]:
    return {one.workload_id: Seen(phase=phase, since=since) for one in deployment.replicas}


def test_a_new_endpoint_deploys_its_configuration():
    assert next_step(an_endpoint("Creating"), Hosting(), {}, now=0.0) == Deploy("config-1")


def test_an_update_deploys_the_pending_configuration():
    endpoint = an_endpoint("Updating", PendingDeploymentSummary={"EndpointConfigName": "config-2"})
    assert next_step(endpoint, Hosting(live=a_deployment()), {}, now=0.0) == Deploy("config-2")


def test_a_deployment_is_waited_for_until_its_start_up_limit():
    new = a_deployment()
    seen = all_are("starting", new, since=10.0)
    assert next_step(an_endpoint("Creating"), Hosting(next=new), seen, now=69.9) == Rest(until=70.0)
    assert isinstance(next_step(an_endpoint("Creating"), Hosting(next=new), seen, now=70.0), Abandon)


def test_a_deployment_whose_environment_is_still_built_has_no_limit():
    assert next_step(an_endpoint("Creating"), Hosting(next=a_deployment()), {}, now=1e9) == Rest()


def test_a_deployment_is_promoted_once_every_replica_is_ready():
    new = a_deployment()
    seen = all_are("ready", new)
    assert next_step(an_endpoint("Creating"), Hosting(next=new), seen, now=0.0) == Promote()
    del seen[new.replicas[1].workload_id]
    assert next_step(an_endpoint("Creating"), Hosting(next=new), seen, now=0.0) == Rest()


def test_one_dead_replica_ends_a_deployment_at_once():
    new = a_deployment()
    seen = all_are("ready", new) | {new.replicas[0].workload_id: Seen(phase="dead", since=0.0, reason="ImportError")}
    assert next_step(an_endpoint("Updating"), Hosting(next=new), seen, now=0.0) == Abandon("ImportError")


def test_a_dead_replica_of_the_live_deployment_is_started_again_after_a_pause():
    live = a_deployment(is_started=True)
    dead = live.replicas[1]
    seen = all_are("ready", live) | {dead.workload_id: Seen(phase="dead", since=5.0, deaths=2)}
    assert next_step(an_endpoint("InService"), Hosting(live=live), seen, now=5.0) == Rest(until=5.2)
    assert next_step(an_endpoint("InService"), Hosting(live=live), seen, now=5.2) == Restart(dead)


@pytest.mark.parametrize(("deaths", "pause"), [(1, 0.1), (2, 0.2), (5, 1.6), (10, 30.0), (10_000, 30.0)])
def test_the_pause_doubles_up_to_half_a_minute(deaths, pause):
    assert pause_s(deaths) == pytest.approx(pause)


@pytest.mark.parametrize("hosting", [Hosting(), Hosting(live=a_deployment()), Hosting(next=a_deployment())])
def test_a_deleted_endpoint_is_removed_whatever_runs(hosting):
    assert next_step(an_endpoint("Deleting"), hosting, {}, now=0.0) == Remove()


def test_a_quiet_endpoint_rests():
    live = a_deployment()
    assert next_step(an_endpoint("InService"), Hosting(live=live), all_are("ready", live), now=0.0) == Rest()
    assert next_step(an_endpoint("Failed"), Hosting(), {}, now=0.0) == Rest()


def test_requests_go_to_ready_replicas_and_to_those_found_running():
    live = a_deployment(is_started=True)
    a, b = live.replicas
    assert list(answering(live, {})) == [a, b]
    assert list(answering(live, {a.workload_id: Seen(phase="dead", since=0.0)})) == [b]
    assert list(answering(a_deployment(), {})) == []


def test_a_hosting_survives_being_stored():
    hosting = Hosting(live=a_deployment(1, is_started=True), next=a_deployment(2), old=[a_deployment(0)], revision=2)
    assert Hosting.of({MEMBER: hosting.to_document()}) == hosting
    assert Hosting.of({}) == Hosting(old=[])


def test_a_promoted_deployment_takes_the_live_ones_place():
    live, new = a_deployment(1), a_deployment(2)
    hosting = Hosting(live=live, next=new, revision=2).promoted()
    assert hosting == Hosting(live=new, next=None, old=[live], revision=2)
    assert hosting.without_old(1) == Hosting(live=new, old=[], revision=2)


def test_an_abandoned_deployment_is_old_at_once():
    live, new = a_deployment(1), a_deployment(2)
    assert Hosting(live=live, next=new).abandoned() == Hosting(live=live, old=[new])


def test_news_of_an_attempt_that_is_over_changes_nothing():
    live = a_deployment()
    replica = live.replicas[0]
    restarted = live.with_replica(replica.next_attempt())
    assert restarted.with_replica(replace(replica, handle={"late": True})) == restarted
    assert restarted.replicas[0].workload_id == "i-1a-1"


def test_instances_are_the_same_whenever_they_are_planned_and_others_of_another_endpoint():
    def ids(**changes):
        plan = {"arn": "a", "created_at": 1.0, "revision": 1, "config_name": "c", "variant": VARIANT}
        plan.update(changes)
        container = Container(image="i", artifact=None)
        return [one.instance_id for one in Deployment.plan(container=container, **plan).replicas]

    assert ids() == ids()
    assert not set(ids()) & set(ids(created_at=2.0))
    assert not set(ids()) & set(ids(revision=2))
