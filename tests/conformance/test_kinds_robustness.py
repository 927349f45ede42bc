"""Whatever request the service model allows, an operation does it or answers in the closed set of errors."""

import random
from typing import Any

import pytest
from tests.conformance.wire_documents import MODELS, Maker
from tests.conformance.world import WALKS, World, a_version

from sagehouse.kit.document import Document
from sagehouse.kit.errors import SagehouseError, Unavailable
from sagehouse.services.sagemaker import OPERATIONS

PIPELINES = frozenset(name for name in OPERATIONS if "Pipeline" in name)
SEEDS = range(40)
SAMPLES = {f"Create{walk.noun}": walk.request for walk in WALKS} | {"CreateModelPackage": lambda _name: a_version()}


def mixed(sample: Any, invented: Any, dice: random.Random) -> Any:
    """The sample, here and there with what was invented: deep enough to get past the first check."""
    if isinstance(sample, dict) and isinstance(invented, dict):
        after = dict(sample)
        for name, value in invented.items():
            if name not in sample:
                if dice.random() < 0.15:
                    after[name] = value
            elif dice.random() < 0.5:
                after[name] = mixed(sample[name], value, dice)
        return after
    if isinstance(sample, list) and isinstance(invented, list) and sample and invented:
        return (
            [mixed(sample[0], one, dice) for one in invented]
            if dice.random() < 0.3
            else [mixed(sample[0], invented[0], dice), *sample[1:]]
        )
    return invented if dice.random() < 0.15 else sample


def survive(world: World, operation: str, request: Document) -> bool:
    """Whether it was done; an error of the closed set that is the caller's fault is as good."""
    try:
        world.ask(operation, **request)
    except Unavailable:
        raise
    except SagehouseError:
        return False
    return True


@pytest.mark.parametrize("operation", sorted(OPERATIONS.keys() - PIPELINES))
def test_requests_out_of_the_model_never_break_an_operation(operation: str) -> None:
    world = World()
    shape = MODELS.service("sagemaker").operation(operation).input
    for seed in SEEDS:
        request = Maker(seed, is_valid=True, is_full=seed % 4 == 0).document(shape)
        survive(world, operation, request)


@pytest.mark.parametrize("operation", sorted(SAMPLES.keys() - PIPELINES))
def test_requests_that_are_almost_right_never_break_an_operation(operation: str) -> None:
    world = World()
    shape = MODELS.service("sagemaker").operation(operation).input
    done = 0
    for seed in range(150):
        invented = Maker(seed, is_valid=True, is_full=True).document(shape)
        done += survive(world, operation, mixed(SAMPLES[operation](f"name-{seed}"), invented, random.Random(seed)))
        noun = operation.removeprefix("Create")
        for walk in WALKS:
            if walk.noun == noun:
                world.ask(walk.lists)
    assert 0 < done < 150, "some get through, some do not"
