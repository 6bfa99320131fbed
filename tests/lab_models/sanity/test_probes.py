from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from lab_models.intervals import wilson_interval
from lab_models.sanity.probes import probe_slide, probe_source, weighted_rate
from lab_models.sanity.settings import ProbeSettings, SanityError

SIZE = 24


def make_table(counts: dict[tuple[str, str], int], slides: int = 6) -> pd.DataFrame:
    """Images of (label, source), dealt to slides of the source."""
    rows = [
        (label, source, f"{source}/{number % slides}")
        for (label, source), count in counts.items()
        for number in range(count)
    ]
    return pd.DataFrame(rows, columns=["label", "source", "slide"])


def vectors(names: pd.Series, seed: int, strength: float = 3.0) -> np.ndarray:
    """One random direction a name."""
    generator = np.random.default_rng(seed)
    codes, found = pd.factorize(names)
    return strength * generator.normal(size=(len(found), SIZE))[codes]


def noise(count: int) -> np.ndarray:
    return np.random.default_rng(9).normal(size=(count, SIZE))


EVEN = {(label, source): 60 for label in ("x", "y") for source in ("one", "two")}


def test_features_that_carry_the_source_give_it_away():
    table = make_table(EVEN)
    probe = probe_source(noise(len(table)) + vectors(table["source"], 1), table, "source")
    assert probe.accuracy.value > 0.95
    assert probe.accuracy.low > probe.labels_alone == probe.majority == 0.5
    assert probe.groups == 12
    assert probe.over_slides is not None
    assert {told.name for told in probe.told} == {"one", "two"}
    assert min(told.rate.value for told in probe.told) > 0.95


def test_features_that_carry_nothing_do_not():
    table = make_table(EVEN)
    probe = probe_source(noise(len(table)), table, "source")
    assert 0.35 < probe.accuracy.value < 0.65


def test_the_class_does_not_pass_for_the_source():
    # x comes mostly from one, y mostly from two: who knows the class is right in 9 of 10.
    table = make_table({("x", "one"): 180, ("x", "two"): 20, ("y", "one"): 20, ("y", "two"): 180})
    features = noise(len(table)) + vectors(table["label"], 2)
    probe = probe_source(features, table, "source")
    assert 0.35 < probe.accuracy.value < 0.65
    assert probe.labels_alone == pytest.approx(0.5)


def test_a_class_of_a_single_source_is_not_compared():
    table = make_table({**EVEN, ("hairy_cell", "one"): 100})
    features = noise(len(table)) + vectors(table["label"], 3)
    probe = probe_source(features, table, "source")
    assert probe.classes == ("x", "y")
    assert probe.images == 240


def test_knowing_the_slides_is_not_knowing_the_source():
    table = make_table(EVEN, slides=6)
    by_seed = [noise(len(table)) + vectors(table["slide"], seed, 6.0) for seed in range(8)]
    rates = [probe_source(features, table, "source").accuracy.value for features in by_seed]
    assert 0.3 < np.mean(rates) < 0.7  # a whole slide is right or wrong: single rates vary
    features = by_seed[0]
    slide = probe_slide(features, table, "source")
    assert slide.accuracy.low > 0.9 > slide.labels_alone
    assert slide.groups == 0


def test_slides_that_are_not_known_are_said():
    table = make_table(EVEN).assign(slide="")
    probe = probe_source(noise(len(table)), table, "source")
    assert probe.groups == 0
    assert "could not be held out" in probe.note


def test_a_source_of_one_slide_is_left_out_and_named():
    table = make_table(EVEN)
    lone = make_table({("x", "three"): 30}, slides=1)
    table = pd.concat([table, lone], ignore_index=True)
    probe = probe_source(noise(len(table)), table, "source")
    assert "three" in probe.note
    assert {told.name for told in probe.told} == {"one", "two"}


def test_large_sets_are_sampled():
    table = make_table(EVEN)
    settings = ProbeSettings(most_images=100)
    assert probe_source(noise(len(table)), table, "source", settings).images <= 100


def test_what_cannot_be_compared_is_an_error():
    table = make_table({("x", "one"): 30, ("y", "two"): 30})
    with pytest.raises(SanityError, match="tell the class instead"):
        probe_source(noise(len(table)), table, "source")
    with pytest.raises(SanityError, match="Fewer than two slides"):
        probe_slide(noise(60), table.assign(slide="s"), "source")
    with pytest.raises(SanityError, match="60 images, but features of 3"):
        probe_source(noise(3), table, "source")


def test_equal_weights_give_the_plain_share():
    right = np.arange(50) < 40
    rate = weighted_rate(right, np.full(50, 0.2), 0.95)
    low, high = wilson_interval(40, 50)
    np.testing.assert_allclose([rate.value, rate.low, rate.high], [0.8, low, high])


def test_uneven_weights_widen_the_interval():
    right = np.arange(50) % 2 == 0
    even = weighted_rate(right, np.ones(50), 0.95)
    uneven = weighted_rate(right, np.where(np.arange(50) < 10, 5.0, 0.1), 0.95)
    assert uneven.high - uneven.low > even.high - even.low
