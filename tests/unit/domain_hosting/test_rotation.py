"""Variants share requests by weight."""

from hypothesis import given
from hypothesis import strategies as st

from sagehouse.domain.hosting.rotation import Rotation


def turns(weights, count):
    rotation = Rotation(weights)
    return [rotation.next() for _ in range(count)]


def test_requests_follow_the_weights_and_are_spread_evenly():
    assert turns({"A": 3.0, "B": 1.0}, 8) == ["A", "A", "B", "A", "A", "A", "B", "A"]


def test_a_variant_of_weight_zero_gets_nothing():
    assert set(turns({"A": 1.0, "B": 0.0}, 5)) == {"A"}


def test_without_any_weight_there_is_no_turn():
    assert turns({"A": 0.0}, 1) == [None]


@given(st.dictionaries(st.sampled_from("ABCD"), st.integers(1, 9), min_size=1))
def test_over_a_whole_round_every_variant_gets_exactly_its_weight(weights):
    taken = turns(weights, sum(weights.values()))
    assert {name: taken.count(name) for name in weights} == weights
