"""The verdict: what the figures of the shortcut test say, in sentences."""

from __future__ import annotations

import math
from collections.abc import Iterable

from lab_models.report.words import NOTHING, percent
from lab_models.sanity.masks import BACKGROUND_OUT, CELL_OUT
from lab_models.sanity.parts import AT_HOME, PARTS
from lab_models.sanity.results import UNMASKED, Masked, Probed, Results, Spread, spread
from lab_models.sanity.settings import VerdictSettings
from pipelines.labels import display_name


def spread_text(values: Iterable[float], digits: int = 3) -> str:
    """Mean and standard deviation over seeds: ``0.562 ± 0.012``."""
    found = spread(values)
    if not found.count:
        return NOTHING
    text = f"{found.mean:.{digits}f}"
    return text if math.isnan(found.deviation) else f"{text} ± {found.deviation:.{digits}f}"


def verdict(results: Results) -> list[str]:
    """What was found, most important first; the first sentence is the judgement."""
    findings = [*_subset_words(results), *_probe_words(results), *_mask_words(results)]
    findings += _left_out_words(results)
    return [judgement(results), *findings]


def judgement(results: Results) -> str:
    """Whether recall on the class in doubt can be trusted, in one sentence a part."""
    if not results.focus:
        return "There is no class that one source alone gives away; see the figures of each test."
    focus = display_name(results.focus)
    said = []
    for part, title in results.trained_on.items():
        signs = signs_of_shortcut(results, part)
        if signs:
            said.append(f"Trained on {title}: do not trust recall on {focus}; {'; '.join(signs)}.")
        elif _was_tried(results, part):
            said.append(f"Trained on {title}: {_passed(results, part, focus)}.")
    return " ".join(said) or "No network was tried on the class in doubt."


def _passed(results: Results, part: str, focus: str) -> str:
    source, rate = _giver(results, part)
    if rate < results.limits.told_apart:
        return f"no sign that {focus} is named by its source"
    return (
        f"recall on {focus} stands the test on C; but {source} still shows in the features "
        f"({rate:.2f}), so try it on a further database before you trust it elsewhere"
    )


def _was_tried(results: Results, part: str) -> bool:
    parts = {t.part for t in results.tested} | {m.part for m in results.masked}
    return part in parts


def signs_of_shortcut(results: Results, part: str) -> list[str]:
    """What shows that networks of a part use the source, in words; empty if nothing does.

    That a probe can tell sources apart is no sign of its own: the features may hold the source
    and the network not use it. It counts where the network also errs by it.
    """
    signs, limits = [], results.limits
    focus = display_name(results.focus)
    home, away = (_accuracy(results, part, name) for name in ("A+B", "C"))
    called = _called_share(results, part)
    if called.mean >= limits.called:
        signs.append(f"it calls {percent(called.mean)} of the other cells of that database {focus}")
    if home.mean - away.mean >= limits.drop:
        signs.append(f"it gets {percent(home.mean)} of A+B right but {percent(away.mean)} of C")
    blind, mistaken = _blind(results, part)
    if blind.mean - mistaken.mean >= limits.excess:
        signs.append(
            f"with the cell masked out it still finds {percent(blind.mean)} of them, and calls "
            f"{percent(mistaken.mean)} of the others so"
        )
    source, rate = _giver(results, part)
    if rate >= limits.told_apart and not results.on(part, "C"):
        # Nothing shows whether the network uses it, so it must not be trusted.
        signs.append(f"its features tell {source} apart with {rate:.2f}, where they all come from")
    return signs


def _accuracy(results: Results, part: str, on: str) -> Spread:
    return spread(t.metrics.accuracy.value for t in results.on(part, on))


def _called_share(results: Results, part: str) -> Spread:
    """Share of C that is called the class in doubt."""
    return spread(t.called(results.focus) / t.metrics.count for t in results.on(part, "C"))


def _blind(results: Results, part: str) -> tuple[Spread, Spread]:
    """With the cell masked out: share of the class that is found, share of A+B's other cells
    that are called so.
    """
    shown = [m for m in results.masked if m.part == part and m.mode == CELL_OUT and _apart(m)]
    return spread(m.found.value for m in shown), spread(m.called.value for m in shown)


def _apart(masked: Masked) -> bool:
    """Whether it is of a set in which the source goes with the class in doubt."""
    return masked.on not in ("C", AT_HOME)


def _seeds(results: Results) -> str:
    count = len({t.seed for t in results.tested})
    return f"{count} seeds" if count > 1 else "one seed"


def _subset_words(results: Results) -> list[str]:
    if not results.on("part_1", "C"):
        return []
    before, after = (_accuracy(results, part, "C") for part in PARTS)
    count = results.on("part_1", "C")[0].metrics.count
    said = [
        f"Of C, {count} test images of the database of {display_name(results.focus)} in other "
        f"classes, {percent(before.mean)} are named rightly by networks trained on A+B, and "
        f"{percent(after.mean)} by networks trained on A+B+C ({_seeds(results)})."
    ]
    numbers = [spread(t.called(results.focus) for t in results.on(p, "C")) for p in PARTS]
    precision = spread(t.figure(results.focus, "precision") for t in results.on("part_1", "A+B"))
    recall = spread(t.figure(results.focus, "recall") for t in results.on("part_1", "A+B"))
    said.append(
        f"None of them is a {display_name(results.focus)}; {numbers[0].mean:.1f} are called so "
        f"before and {numbers[1].mean:.1f} after (means). On A+B, which holds no such cells, the "
        f"same networks had recall {percent(recall.mean)} and precision "
        f"{percent(precision.mean)} before: nothing there gives it away."
    )
    said.append(_remedy(before, after, results.limits.gain))
    return said


def _remedy(before: Spread, after: Spread, enough: float) -> str:
    gain = after.mean - before.mean
    if gain >= enough:
        return (
            f"Adding C to the training gains {100 * gain:.0f} percentage points on it: other "
            "classes from the same database are the remedy."
        )
    return (
        f"Adding C to the training changes accuracy on it by {100 * gain:+.0f} percentage points: "
        "no shortcut of this kind shows, or C is too small to cure it."
    )


def _probe_words(results: Results) -> list[str]:
    said = []
    for part, title in results.trained_on.items():
        probes = [p for p in results.probed if p.part == part and p.probe.column != "slide"]
        if probes:
            said.append(_source_words(results, part, title, probes))
        slides = [p.probe for p in results.probed if (p.part, p.probe.column) == (part, "slide")]
        if slides:
            found = spread(p.accuracy.value for p in slides).mean
            alone = spread(p.labels_alone for p in slides).mean
            said.append(
                f"Networks trained on {title} name the slide of an image with {found:.2f}, where "
                f"class and {results.column} alone give {alone:.2f}."
            )
    return said


def _told_rates(results: Results, part: str) -> dict[str, float]:
    """Balanced accuracy of each source against the others, mean over seeds."""
    rates: dict[str, list[float]] = {}
    for probed in results.probed:
        if probed.part == part and probed.probe.column != "slide":
            for told in probed.probe.told:
                rates.setdefault(told.name, []).append(told.rate.value)
    return {name: spread(values).mean for name, values in rates.items()}


def _giver(results: Results, part: str) -> tuple[str, float]:
    """The source that all training images of the class in doubt come from, and how well it is
    told apart; ``""`` and 0 where there is none.
    """
    name = results.single_source.get(part, {}).get(results.focus, "")
    return name, _told_rates(results, part).get(name, 0.0)


def _source_words(results: Results, part: str, title: str, probes: list[Probed]) -> str:
    """The sentence on the source that gives the class in doubt away, else the best told one."""
    rates = _told_rates(results, part)
    given_away = results.single_source.get(part, {})
    name = given_away.get(results.focus, "")
    if name not in rates:
        name = max(rates, key=lambda n: rates[n])
    majority = spread(p.probe.majority for p in probes).mean
    overall = spread(p.probe.accuracy.value for p in probes).mean
    what = (
        f"Features of networks trained on {title} tell {name} from the other sources with "
        f"{rates[name]:.2f} (0.50 is chance) on slides that the probe has not seen, and name the "
        f"{results.column} with {overall:.2f} (majority {majority:.2f})"
    )
    if rates[name] < results.limits.told_apart:
        return f"{what}: not reliably."
    classes = [display_name(c) for c, source in given_away.items() if source == name]
    if not classes:
        return f"{what}: what the network has learned may depend on it."
    shown = ", ".join(classes[:3]) + (" and others" if len(classes) > 3 else "")
    if results.on(part, "C") and not signs_of_shortcut(results, part):
        return (
            f"{what}: recall on {shown}, which it saw in {name} only, can be trusted as far as "
            "the test on C goes, and no further."
        )
    return f"{what}: do not trust recall on {shown}, which it saw in {name} only."


def _mask_words(results: Results) -> list[str]:
    return [
        _masked_part_words(results, part, title)
        for part, title in results.trained_on.items()
        if any(m.part == part for m in results.masked)
    ]


def _masked_part_words(results: Results, part: str, title: str) -> str:
    rows = [m for m in results.masked if m.part == part and _apart(m)]
    whole, blind = (
        spread(m.accuracy.value for m in rows if m.mode == mode) for mode in (UNMASKED, CELL_OUT)
    )
    text = (
        f"Trained on {title}, accuracy falls from {percent(whole.mean)} to {percent(blind.mean)} "
        f"with the cell masked out (the most frequent class has {percent(rows[0].majority)})"
    )
    found, called = _blind(results, part)
    if found.count and results.focus:
        ranked = spread(m.ranked for m in rows if m.mode == CELL_OUT).mean
        home = spread(
            m.ranked for m in results.masked if (m.part, m.on, m.mode) == (part, AT_HOME, CELL_OUT)
        )
        against = f", before those of the same database with {home.mean:.2f}" * bool(home.count)
        text += (
            f"; {percent(found.mean)} of {display_name(results.focus)} are still found, and "
            f"{percent(called.mean)} of the others called so; the score of that class ranks its "
            f"images before the others with {ranked:.2f} (0.50 is chance){against}: "
            f"{_reading(found.mean - called.mean, ranked, results.limits)}"
        )
    return f"{text}. {_even_ground(results, part)}".strip()


def _reading(excess: float, ranked: float, limits: VerdictSettings) -> str:
    if excess >= limits.excess:
        return "the background alone is enough for it"
    if ranked >= limits.told_apart:
        return "the background raises the score, though it is not enough alone"
    return "the background alone does not make one"


def _even_ground(results: Results, part: str) -> str:
    """What an even background does to the false calls on C."""
    shown = {
        mode: spread(
            m.called.value for m in results.masked if (m.part, m.on, m.mode) == (part, "C", mode)
        )
        for mode in (UNMASKED, BACKGROUND_OUT)
    }
    if not results.focus or not shown[UNMASKED].mean >= results.limits.called:
        return ""
    before, after = (shown[mode].mean for mode in (UNMASKED, BACKGROUND_OUT))
    return (
        f"Before an even ground it calls {percent(after)} of C so, instead of {percent(before)}: "
        "the difference is what it took from the background, the rest from the look of the cell."
    )


def _left_out_words(results: Results) -> list[str]:
    if not results.left_out:
        return []
    worst = min(results.left_out, key=lambda left: left.metrics.accuracy.value)
    low, high = worst.metrics.accuracy.low, worst.metrics.accuracy.high
    mean = spread(left.metrics.accuracy.value for left in results.left_out).mean
    at_home = "" if worst.home is None else f" (at home {percent(worst.home.value)})"
    return [
        f"On a {results.column} that they have not seen, networks get {percent(mean)} right in the "
        f"mean of {len({left.source for left in results.left_out})}, and "
        f"{percent(worst.metrics.accuracy.value)} ({100 * low:.1f} to {percent(high)}) on the "
        f"hardest, {worst.source}{at_home}: expect no more at a new laboratory."
    ]
