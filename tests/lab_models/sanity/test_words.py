from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from lab_models.metrics import Estimate, compute_metrics
from lab_models.sanity.masks import CELL_OUT
from lab_models.sanity.probes import Probe, Told
from lab_models.sanity.results import (
    UNMASKED,
    LeftOut,
    Masked,
    Probed,
    Results,
    SetResult,
    records,
    spread,
)
from lab_models.sanity.words import judgement, signs_of_shortcut, spread_text, verdict

CLASSES = ("blast", "basophil", "hairy_cell")


def figures(right: int, called: int, of: int = 100, hairy: int = 0):
    """`of` blasts of which some are right and some called hairy; and hairy cells, all right."""
    truth = np.array([0] * of + [2] * hairy)
    answers = np.array([0] * right + [2] * called + [1] * (of - right - called) + [2] * hairy)
    return compute_metrics(truth, np.eye(3)[answers], CLASSES)


def on_set(part: str, on: str, right: int, called: int = 0, seed: int = 0) -> SetResult:
    return SetResult(part, seed, on, figures(right, called, hairy=20 if on == "A+B" else 0))


def masked(part: str, mode: str, found: float, called: float) -> Masked:
    estimates = [Estimate(value, 0.0, 1.0) for value in (0.5, found, called)]
    return Masked(part, 0, "A+B", mode, 50, estimates[0], 0.2, *estimates[1:], ranked=0.9)


def probe(rate: float) -> Probe:
    told = (Told("hairy_db", 50, Estimate(rate, rate, rate)), Told("WBC", 50, Estimate(rate, 0, 1)))
    accuracy = Estimate(rate, rate - 0.02, rate + 0.02)
    return Probe("source", 100, 12, ("blast", "basophil"), accuracy, None, 0.5, 0.5, told)


def make_results(before=(40, 30), after=(90, 1), **changes) -> Results:
    values = {
        "data": "here", "recipe": "hal_t3002", "column": "source", "focus": "hairy_cell",
        "trained_on": {"part_1": "A+B", "part_2": "A+B+C"},
        "single_source": {part: {"hairy_cell": "hairy_db"} for part in ("part_1", "part_2")},
        "tested": (
            on_set("part_1", "A+B", 95), on_set("part_1", "C", *before),
            on_set("part_2", "A+B", 95), on_set("part_2", "C", *after),
        ),
    }  # fmt: skip
    return Results(**{**values, **changes})


def test_the_shortcut_is_called_by_its_name_and_so_is_the_cure():
    first, *rest = verdict(make_results())
    assert "Trained on A+B: do not trust recall on hairy cell" in first
    assert "30.0\N{NO-BREAK SPACE}%" in first
    assert "Trained on A+B+C: no sign" in first
    assert any("gains 50 percentage points" in sentence for sentence in rest)


def test_without_a_shortcut_there_is_no_alarm():
    results = make_results(before=(92, 1), after=(93, 0))
    assert "do not trust" not in " ".join(verdict(results))
    assert signs_of_shortcut(results, "part_1") == []


def test_a_network_that_finds_cells_behind_the_mask_reads_the_background():
    blind = (masked("part_1", UNMASKED, 1.0, 0.0), masked("part_1", CELL_OUT, 0.9, 0.1))
    results = make_results(before=(92, 1), masked=blind)
    assert "with the cell masked out it still finds 90.0" in judgement(results)
    assert "the background alone is enough" in " ".join(verdict(results))


def test_a_probe_alone_makes_recall_doubtful_where_c_does_not_speak_for_it():
    one = {"trained_on": {"all": "all images"}, "tested": (on_set("all", "test", 95),),
           "single_source": {"all": {"hairy_cell": "hairy_db"}}}  # fmt: skip
    loud = make_results(**one, probed=(Probed("all", 0, probe(0.97)),))
    assert "tell hairy_db apart with 0.97" in judgement(loud)
    assert "do not trust recall on hairy cell" in verdict(loud)[-1]
    quiet = make_results(**one, probed=(Probed("all", 0, probe(0.55)),))
    assert "no sign" in judgement(quiet)
    assert "not reliably" in verdict(quiet)[-1]


def test_what_is_known_of_slides_stands_beside_what_labels_tell():
    slide = replace(probe(0.4), column="slide", labels_alone=0.25)
    text = " ".join(verdict(make_results(probed=(Probed("part_1", 0, slide),))))
    assert "the slide of an image with 0.40, where class and source alone give 0.25" in text


def test_where_c_was_passed_the_probe_only_warns():
    probed = tuple(Probed(part, 0, probe(0.97)) for part in ("part_1", "part_2"))
    text = " ".join(verdict(make_results(probed=probed)))
    assert "still shows in the features (0.97)" in text
    assert "can be trusted as far as the test on C goes" in text


def test_the_hardest_source_is_named():
    left = tuple(
        LeftOut(name, 0, figures(right, 0), Estimate(0.95, 0.9, 1.0), 0)
        for name, right in (("Lund", 80), ("Aarhus", 45))
    )
    (sentence,) = verdict(make_results(tested=(), left_out=left))[1:]
    assert "on the hardest, Aarhus (at home 95.0" in sentence
    assert "the mean of 2" in sentence


def test_no_class_in_doubt_is_said():
    assert "no class that one source alone gives away" in judgement(make_results(focus=""))


def test_spread_is_the_sample_standard_deviation():
    found = spread([0.1, 0.2, 0.6, math.nan])
    assert (found.mean, found.count) == (pytest.approx(0.3), 3)
    assert found.deviation == pytest.approx(np.std([0.1, 0.2, 0.6], ddof=1))
    assert spread_text([0.1, 0.2, 0.6]) == "0.300 ± 0.265"
    assert spread_text([0.5]) == "0.500"
    assert spread_text([]) == "–"


def test_records_name_every_figure_once():
    rows = records(make_results(probed=(Probed("part_1", 0, probe(0.9)),)))
    keys = [tuple(row[k] for k in ("test", "part", "seed", "on", "figure")) for row in rows]
    assert len(set(keys)) == len(keys)
    assert {row["figure"] for row in rows} >= {"accuracy", "focus_recall", "told_from_others"}
