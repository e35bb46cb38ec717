"""Recompute what a rating session came to, from its export and nothing else: the standard library and numpy.

    python recompute.py            the folder that this file lies in, as text
    python recompute.py FOLDER     another folder, or the archive itself (.zip)
    python recompute.py --json     the same as JSON, with every digit

It reads session.json, raters.jsonl, items.jsonl and ratings.jsonl. One line of ratings.jsonl is what one rater said of
one item, and is one observation. What people said in the session's last round counts (`--round N`: in another one);
ratings of a judge model, skipped items, and the second rating of an item that somebody got twice do not.
"""

from __future__ import annotations

import argparse
import json
import sys
import zipfile
from collections.abc import Iterator
from itertools import combinations
from math import comb, factorial, isfinite, log2, sqrt
from pathlib import Path
from typing import Any

import numpy as np

DRAWS = 2_000  # of raters and items, for net preferences
STRENGTH_DRAWS = 500  # of raters and items, for strengths
ALPHA_DRAWS = 500  # of items, for Krippendorff's alpha
AT_ONCE = 4_000_000  # weights that are drawn at a time; another number draws others
SEED = 0
Row = dict[str, Any]


def read(place: Path) -> tuple[Row, list[Row], list[Row], list[Row]]:
    """Session, raters, items and ratings, from a folder or an archive."""

    def text(name: str) -> str:
        if place.is_dir():
            return (place / name).read_text(encoding="utf-8")
        with zipfile.ZipFile(place) as archive:
            return archive.read(name).decode("utf-8")

    def lines(name: str) -> list[Row]:
        return [json.loads(line) for line in text(name).split("\n") if line]

    return json.loads(text("session.json")), lines("raters.jsonl"), lines("items.jsonl"), lines("ratings.jsonl")


# --- who is preferred -----------------------------------------------------------------------------


def sign(value: float) -> int:
    """1, 0 or -1."""
    return (value > 0) - (value < 0)


def net_of(rating: Row, approach: str) -> float:
    """Of the other answers, the share that this one was preferred to, minus the share that was preferred to it."""
    ranks = rating["ranks"]
    others = [rank for name, rank in ranks.items() if name != approach]
    return sum(sign(rank - ranks[approach]) for rank in others) / len(others)


def two_way(values: list[float], ratings: list[Row]) -> Row:
    """The mean with its 95 % percentile interval. Raters and items are drawn anew, independently of each other, so that
    a rating weighs as often as its rater was drawn times as often as its item was (A. B. Owen, "The pigeonhole
    bootstrap", Annals of Applied Statistics 1 (2007), 386-411)."""
    data, means = np.array(values, dtype=float), []
    for weights in drawn_weights(ratings, DRAWS):
        totals = weights.sum(axis=1)
        there = totals > 0
        means.append(weights[there] @ data / totals[there])
    low, high = np.percentile(np.concatenate(means), (2.5, 97.5))
    return {"net": float(data.mean()), "low": float(low), "high": float(high)}


def drawn_weights(ratings: list[Row], draws: int) -> Iterator[Any]:
    """How often each rating counts in so many draws of raters and items, some draws at a time."""
    numbered = [_numbered([one[what] for one in ratings]) for what in ("rater", "item")]
    raters, items = int(numbered[0].max()) + 1, int(numbered[1].max()) + 1
    drawn, step = np.random.default_rng(SEED), max(1, AT_ONCE // len(ratings))
    for start in range(0, draws, step):
        count = min(step, draws - start)
        by_rater = drawn.multinomial(raters, np.full(raters, 1 / raters), count)
        by_item = drawn.multinomial(items, np.full(items, 1 / items), count)
        yield (by_rater[:, numbered[0]] * by_item[:, numbered[1]]).astype(float)


def _numbered(names: list[Any]) -> Any:
    """Names as numbers from 0, in the order in which they come first."""
    numbers: dict[Any, int] = {}
    return np.array([numbers.setdefault(name, len(numbers)) for name in names])


def preferences(counted: list[Row], approaches: list[str]) -> dict[str, Row]:
    """Net preference for each approach, against all others."""
    found = {}
    for approach in approaches:
        own = [one for one in counted if approach in one["ranks"] and len(one["ranks"]) > 1]
        if own:
            found[approach] = two_way([net_of(one, approach) for one in own], own) | {"ratings": len(own)}
    return found


def pairs(counted: list[Row], approaches: list[str]) -> list[Row]:
    """The matrix of wins: every two approaches once, with won minus lost between them."""
    found = []
    for approach, other in combinations(approaches, 2):
        both = [one for one in counted if approach in one["ranks"] and other in one["ranks"]]
        signs = [sign(one["ranks"][other] - one["ranks"][approach]) for one in both]
        row: Row = {"approach": approach, "other": other}
        row |= {"won": signs.count(1), "lost": signs.count(-1), "tied": signs.count(0)}
        found.append(row | (two_way([float(one) for one in signs], both) if both else {}))
    return found


def places(counted: list[Row]) -> list[Row]:
    """What the place of an answer on the page did: net preference for whatever stood there."""
    found = []
    for place in range(max((len(one["shown"]) for one in counted), default=0)):
        own = [one for one in counted if len(one["shown"]) > place and len(one["shown"]) > 1]
        if own := [one for one in own if one["shown"][place] in one["ranks"]]:
            nets = [net_of(one, one["shown"][place]) for one in own]
            found.append({"place": place + 1, "shown": len(own)} | two_way(nets, own))
    return found


def leans(counted: list[Row], items: list[Row]) -> dict[str, Row]:
    """Of two answers that differ in it, how much more often the longer one was preferred, the one that cited, and the
    one with the higher score of each scorer."""
    by_number = {one["item"]: one for one in items}
    amounts: dict[str, Any] = {
        "length": lambda item, name: len(item["answers"][name]),
        "cites": lambda item, name: bool(item["facts"].get(name, {}).get("cites")),
    }
    for scorer in {name: None for one in items for facts in one["facts"].values() for name in facts.get("scores", {})}:
        amounts[f"score {scorer}"] = lambda item, name, scorer=scorer: (
            item["facts"].get(name, {}).get("scores", {}).get(scorer)
        )
    found = {}
    for what, amount in amounts.items():
        kept, values, pairs = [], [], 0
        for one in counted:
            signs = []
            for first, second in combinations(sorted(one["ranks"]), 2):
                more, less = (amount(by_number[one["item"]], name) for name in (first, second))
                if more is not None and less is not None and more != less:
                    signs.append(sign(one["ranks"][second] - one["ranks"][first]) * (1 if more > less else -1))
            if signs:
                kept.append(one)
                values.append(sum(signs) / len(signs))
                pairs += len(signs)
        if kept:
            found[what] = two_way(values, kept) | {"pairs": pairs}
    return found


def by_tag(counted: list[Row], items: list[Row], approaches: list[str]) -> dict[str, dict[str, Row]]:
    """Net preferences over the rated items of each tag that has three of them or more."""
    tagged: dict[str, set[int]] = {}
    rated = {one["item"] for one in counted}
    for one in items:
        for tag in one["tags"] if one["item"] in rated else ():
            tagged.setdefault(tag, set()).add(one["item"])
    return {
        tag: preferences([one for one in counted if one["item"] in numbers], approaches)
        for tag, numbers in tagged.items()
        if len(numbers) >= 3
    }


def strengths(counted: list[Row], approaches: list[str], items: list[Row] | None = None) -> Row:
    """Strengths by the model of Bradley and Terry with Davidson's ties (1970), 0 in the mean, as natural logarithms.

    Of a rating with n answers each of its n(n-1)/2 pairs counts 2/(n(n-1)). One imaginary win and one loss hold each
    strength near the mean (Newman 2023). With `items`: what is left when the logarithm (base 2) of the length and
    citations are accounted for, with what these do.
    """
    kept = [one for one in counted if len(one["ranks"]) > 1]
    present = [name for name in approaches if any(name in one["ranks"] for one in kept)]
    reached: set[str] = set(present[:1])
    for _ in present:
        reached.update(*(one["ranks"] for one in kept if reached & set(one["ranks"])))
    if len(present) < 2 or reached != set(present):
        return {}
    rows, said, shares, origin = [], [], [], []
    for place, one in enumerate(kept):
        ranks = one["ranks"]
        two = list(combinations([name for name in present if name in ranks], 2))
        for pair in two:
            rows.append([float((name == pair[0]) - (name == pair[1])) for name in present] + _style(one, pair, items))
            said.append(1 + sign(ranks[pair[0]] - ranks[pair[1]]))
            shares.append(1 / len(two))
            origin.append(place)
    features = np.array(rows)
    used = [place for place in range(features.shape[1]) if features[:, place].any()]
    names = [([*present, "length", "cites"])[place] for place in used]
    outcome = np.eye(3)[said]
    if items is None:  # pairs of the same two approaches are alike
        features, group = np.unique(features, axis=0, return_inverse=True)
    else:
        group = np.arange(len(rows))
    merged = np.array(origin), np.array(shares), group.reshape(-1), outcome, features[:, used]
    whole = _fit(np.ones(len(kept)), merged, len(present))
    draws = [_fit(row, merged, len(present)) for some in drawn_weights(kept, STRENGTH_DRAWS) for row in some]
    lows, highs = np.percentile(draws, (2.5, 97.5), axis=0)
    return {
        name: {"log": float(whole[at]), "low": float(lows[at]), "high": float(highs[at])}
        for at, name in enumerate(names)
    }


def _style(rating: Row, pair: tuple[str, str], items: list[Row] | None) -> list[float]:
    """The first answer's length and citations, minus the second's."""
    if items is None:
        return []
    item = items[rating["item"]]
    long = [log2(max(1, len(item["answers"][name]))) for name in pair]
    cites = [float(bool(item["facts"].get(name, {}).get("cites"))) for name in pair]
    return [long[0] - long[1], cites[0] - cites[1]]


def _fit(weights: Any, merged: tuple[Any, ...], approaches: int) -> Any:
    """Newton's method on the logarithm of the likelihood: strengths, then effects of style."""
    origin, shares, group, outcome, features = merged
    totals = np.zeros((len(features), 3))
    np.add.at(totals, group, outcome * (weights[origin] * shares)[:, None])
    tied, count = bool(outcome[:, 1].any()), features.shape[1]
    size, fit = totals.sum(axis=1), np.zeros(count + tied)
    for _ in range(100):
        half, tie = features @ fit[:count] / 2, fit[count] if tied else -np.inf
        most = np.maximum(np.abs(half), tie)
        won, lost, even = np.exp(half - most), np.exp(-half - most), np.exp(tie - most)
        lead, even = (won - lost) / (won + lost + even), even / (won + lost + even)
        slope = features.T @ (totals[:, 0] - totals[:, 2] - size * lead) / 2
        curve = (features.T * (size * (1 - even - lead * lead) / 4)) @ features
        if tied:
            cross = -features.T @ (size * even * lead) / 2
            slope = np.append(slope, (totals[:, 1] - size * even).sum())
            curve = np.block([[curve, cross[:, None]], [cross[None, :], (size * even * (1 - even)).sum()]])
        chance = 1 / (1 + np.exp(-fit))
        slope = slope + 1 - 2 * chance
        curve = curve + np.diag(2 * chance * (1 - chance))
        curve[:approaches, :approaches] += 1
        step = np.linalg.solve(curve, slope)
        longest = np.abs(step).max()
        fit = fit + step * min(1, 2 / max(longest, 1e-11))
        if longest < 1e-11:
            break
    fit[:approaches] -= fit[:approaches].mean()
    return fit[:count]


# --- how far to trust it --------------------------------------------------------------------------


def alpha(counted: list[Row], criterion: str = "") -> Row:
    """Krippendorff's alpha: of which of every two answers is better (ordinal), or of the scores by a criterion
    (interval). The interval draws items anew (K. Krippendorff, "Content Analysis" (2018), chapter 12)."""
    said: dict[tuple[int, Any], dict[str, float]] = {}
    for one in counted:
        if criterion:
            units = list(one["scores"].get(criterion, {}).items())
        else:
            ranks = one["ranks"]
            units = [(pair, sign(ranks[pair[1]] - ranks[pair[0]])) for pair in combinations(sorted(ranks), 2)]
        for unit, value in units:
            said.setdefault((one["item"], unit), {})[one["rater"]] = float(value)
    units_of: dict[int, list[list[float]]] = {}
    for (item, _), values in said.items():
        if len(values) > 1:
            units_of.setdefault(item, []).append(list(values.values()))
    every = [unit for units in units_of.values() for unit in units]
    value = _alpha(every, ordinal=not criterion)
    found = {"value": value, "low": None, "high": None, "units": len(every)}
    if value is None or len(units_of) < 3:
        return found
    drawn, items, again = np.random.default_rng(SEED), list(units_of), []
    for _ in range(ALPHA_DRAWS):
        chosen = [unit for one in drawn.integers(0, len(items), len(items)) for unit in units_of[items[one]]]
        if (value := _alpha(chosen, ordinal=not criterion)) is not None:
            again.append(value)
    if again:
        found["low"], found["high"] = map(float, np.percentile(again, (2.5, 97.5)))
    return found


def _alpha(units: list[list[float]], ordinal: bool) -> float | None:
    """1 - observed / expected disagreement of values within units; None where all values are the same."""
    levels = sorted({value for unit in units for value in unit})
    if len(levels) < 2:
        return None
    counts = np.array([[unit.count(level) for level in levels] for unit in units], dtype=float)
    sizes = counts.sum(axis=1)
    weighted = counts / (sizes - 1)[:, None]
    coincidences = weighted.T @ counts - np.diag(weighted.sum(axis=0))
    totals = coincidences.sum(axis=1)
    places = np.cumsum(totals) - totals / 2 if ordinal else np.array(levels)
    distance = (places[:, None] - places[None, :]) ** 2
    expected = (np.outer(totals, totals) - np.diag(totals)) / (totals.sum() - 1)
    value = 1 - float((coincidences * distance).sum() / (expected * distance).sum())
    return value if isfinite(value) else None


def first_of(rating: Row) -> set[str]:
    """The answers that stand first; none if all are bad."""
    return set() if rating["all_bad"] else {name for name, rank in rating["ranks"].items() if rank == 1}


def share(said: list[bool]) -> Row:
    """So many of so many, with the interval of Wilson (1927)."""
    hits, of = sum(said), len(said)
    if not of:
        return {"hits": 0, "of": 0}
    z = 1.959963984540054
    centre, scale = hits / of + z * z / (2 * of), 1 + z * z / of
    half = z * sqrt(hits / of * (1 - hits / of) / of + z * z / (4 * of * of))
    low = 0.0 if hits == 0 else (centre - half) / scale
    return {"hits": hits, "of": of, "low": low, "high": 1.0 if hits == of else (centre + half) / scale}


def self_consistency(ratings: list[Row]) -> Row:
    """Of the items that a rater got twice: on how many the same answers stood first both times."""
    said = {(one["rater"], one["item"]): one for one in ratings if not one["again"] and not one["skipped"]}
    twice = [one for one in ratings if one["again"] and not one["skipped"]]
    both = [(said[key], one) for one in twice if (key := (one["rater"], one["item"])) in said]
    return share([first_of(one) == first_of(other) for one, other in both])


def gold_accuracy(counted: list[Row], items: list[Row]) -> dict[str, Row]:
    """By rater: on how many gold items the answer that is known to be the best was put first, alone."""
    gold, found = {one["item"]: one["gold"] for one in items if one["gold"]}, dict[str, list[bool]]()
    for one in counted:
        if one["item"] in gold:
            found.setdefault(one["rater"], []).append(first_of(one) == {gold[one["item"]]})
    return {rater: share(said) for rater, said in found.items()}


def blinding(raters: list[Row], approaches: list[str]) -> Row:
    """How many approaches were recognised, against guessing, which has one right in the mean. `p`: the probability of
    at least so many by guessing, from the number of permutations with so many fixed points."""
    guesses = [one["guess"] for one in raters if one["kind"] == "person" and one["guess"]]
    count = len(approaches)
    if not guesses or not count:
        return {"right": 0, "of": 0, "expected": 0.0, "p": None}
    right = sum(guess.get(name) == name for guess in guesses for name in approaches)
    deranged = [1, 0]
    while len(deranged) <= count:
        deranged.append((len(deranged) - 1) * (deranged[-1] + deranged[-2]))
    one = [comb(count, fixed) * deranged[count - fixed] / factorial(count) for fixed in range(count + 1)]
    total = [1.0]
    for _ in guesses:
        total = [float(value) for value in np.convolve(total, one)]
    p = min(1.0, sum(total[right:]))
    return {"right": right, "of": count * len(guesses), "expected": float(len(guesses)), "p": p}


# --- all of it ------------------------------------------------------------------------------------


def recompute(place: Path, round: int | None = None) -> Row:
    """Every figure, of a session's last round unless another one is named."""
    session, raters, items, every = read(place)
    people = {one["rater"] for one in raters if one["kind"] == "person"}
    human = [one for one in every if one["rater"] in people]
    ratings = [one for one in human if one["round"] == (round or session["round"])]
    counted = [one for one in ratings if not one["skipped"] and not one["again"]]
    approaches = session["approaches"]
    agreed = {"": alpha(counted)} | {name: alpha(counted, name) for name in session["plan"]["criteria"]}
    return {
        "session": session["session"],
        "ratings": len(counted),
        "all_bad": sum(one["all_bad"] for one in counted),
        "skipped": sum(one["skipped"] for one in ratings),
        "preferences": preferences(counted, approaches),
        "strengths": strengths(counted, approaches),
        "strengths_without_style": strengths(counted, approaches, items),
        "by_tag": by_tag(counted, items, approaches),
        "leans": leans(counted, items),
        "pairs": pairs(counted, approaches),
        "places": places(counted),
        "alpha": agreed,
        "self_consistency": self_consistency(ratings),
        "gold": gold_accuracy(counted, items),
        "blinding": blinding(raters, approaches),
    }


def _interval(row: Row, value: str) -> str:
    if row.get(value) is None:
        return "undefined"
    interval = "" if row.get("low") is None else f" (95 % interval {row['low']:+.3f} to {row['high']:+.3f})"
    return f"{row[value]:+.3f}{interval}"


def as_text(found: Row) -> str:
    """The figures in lines."""
    lines = [f"Session {found['session']}: {found['ratings']} ratings, {found['all_bad']} times all bad"]
    lines += [f"net preference, {name}: {_interval(row, 'net')}" for name, row in found["preferences"].items()]
    for what, title in (("strengths", "strength"), ("strengths_without_style", "strength, style taken off")):
        lines += [f"{title}, {name}: {_interval(row, 'log')}" for name, row in found[what].items()]
    for row in found["pairs"]:
        said = f"won {row['won']}, lost {row['lost']}, as good {row['tied']}, net {_interval(row, 'net')}"
        lines.append(f"{row['approach']} against {row['other']}: {said}")
    for tag, rows in found["by_tag"].items():
        lines += [f"net preference, {name}, tag {tag}: {_interval(row, 'net')}" for name, row in rows.items()]
    lines += [f"preferred for more {what}: net {_interval(row, 'net')}" for what, row in found["leans"].items()]
    lines += [f"shown as number {row['place']}: net {_interval(row, 'net')}" for row in found["places"]]
    lines += [f"alpha, {name or 'preferences'}: {_interval(row, 'value')}" for name, row in found["alpha"].items()]
    twice, blind = found["self_consistency"], found["blinding"]
    lines.append(f"rated the same twice: {twice['hits']} of {twice['of']}")
    lines += [f"gold items of {name}: {row['hits']} of {row['of']}" for name, row in found["gold"].items()]
    p = "" if blind["p"] is None else f", p = {blind['p']:.3g}"
    lines.append(f"guessed right: {blind['right']} of {blind['of']}, {blind['expected']:g} by chance{p}")
    return "\n".join(lines)


def main() -> None:
    """Print them."""
    parser = argparse.ArgumentParser(description="Recompute a rating session from its export.")
    parser.add_argument("place", nargs="?", type=Path, default=Path(__file__).parent, help="folder or archive")
    parser.add_argument("--round", type=int, help="the round; the last one if it is not said")
    parser.add_argument("--json", action="store_true", help="print JSON")
    said = parser.parse_args()
    found = recompute(said.place, said.round)
    sys.stdout.write((json.dumps(found, ensure_ascii=False) if said.json else as_text(found)) + "\n")


if __name__ == "__main__":
    main()
