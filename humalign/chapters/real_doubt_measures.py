"""Measures of the page on doubt: a crowd that answered the same questions, and models on these questions."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from .. import choices, crowd, odd_one_out, resample, results
from ..calibration import calibration_table, expected_calibration_error, fit_temperature
from ..data.types import Features, Triplets
from ..results import Measured
from ..rsa import compare_vectors
from ..similarity import similarity_matrix
from ..source import Source
from . import calibration, real_networks, things_files, zero_shot

CROWD, TRAINING = "things/responses_2025", things_files.TRAINING
TEST_SETS = things_files.TEST_SETS
SETS = {CROWD: "crowd", **{name: name.removeprefix("things/") for name in TEST_SETS}}
STAGE, PEOPLE, IN_SAMPLE = zero_shot.STAGE, "people", real_networks.IN_SAMPLE
FIRST = calibration.N // 2  # responses that choose a temperature
BESIDE = 5  # people of a half that each person is compared with
SURE = 0.8  # share of the majority from which people are called sure
SHOWN, PICTURED = 6, 3  # questions in a table, and with photographs
GUESSING = 1 / 3 + 1.645 * np.sqrt(2 / 9 / 440)  # 95 % of those who guess 440 times agree less often

# ---- measuring -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Asked:
    """The crowd, its questions as triplets, and what the people of THINGS-data answered to some of them.

    Attributes
    ----------
    crowd : humalign.crowd.Crowd
    concepts : tuple of str
        Of the objects.
    before : int array (q, 3)
        Answers in the two test sets; 0 where a question is in neither.
    """

    crowd: crowd.Crowd
    concepts: tuple[str, ...]
    before: np.ndarray

    @cached_property
    def share(self) -> np.ndarray:
        """Share of the crowd that calls each object of a question odd, (q, 3)."""
        return self.crowd.counts / self.crowd.counts.sum(1, keepdims=True)

    def mean(self, scores):
        """Means over questions and draws over concepts of scores (rows, q)."""
        return resample.triplet_means(scores, self.crowd.questions, self.concepts)


def asked(source: Source) -> Asked:
    """The crowd of 160 people, in THINGS' order of concepts."""
    ids = things_files.object_ids(source)
    answers = source.published(CROWD).align(ids)
    people = crowd.of_answers(answers.triplets, answers.participants)
    before = np.zeros_like(people.counts)
    for name in TEST_SETS:
        objects, counts, _ = odd_one_out.response_counts(source.published(name).align(ids).triplets)
        place = {tuple(three): row for row, three in enumerate(objects.tolist())}
        rows = np.array([place.get(tuple(three), -1) for three in people.questions.tolist()])
        before[rows >= 0] += counts[rows[rows >= 0]]
    return Asked(people, answers.concepts, before)


def elsewhere(source: Source, asked: Asked) -> Triplets:
    """Responses that choose temperatures: of test_10_ID, to questions of neither the crowd nor a test set."""
    answers = source.published(TRAINING).align(things_files.object_ids(source))
    sets = [source.published(name).align(answers.ids).triplets for name in TEST_SETS]
    known = np.concatenate([things_files.questions(part) for part in (asked.crowd.questions, *sets)])
    free = np.flatnonzero(~np.isin(things_files.questions(answers.triplets), known))
    return answers.select(free[np.linspace(0, len(free) - 1, min(FIRST, len(free))).astype(int)])


def people_of(asked: Asked) -> Measured:
    """What the crowd leaves open to any model, and how well its doubt is known.

    Returns
    -------
    Measured
        Model "people": measure "accuracy", detail "another person" and "majority" (the best possible); "agreement with
        majority", detail "one person"; "log loss" (of a model that knows the distribution); "known doubt", detail
        "half", "reliability" and "ceiling". Stage "again", with the people of THINGS-data: "across minus within",
        "across", "within, now", "within, before", "same majority", "doubt, before and now".
    """
    counts, rows = asked.crowd.counts, results.Rows(dataset="crowd", model=PEOPLE, stage="ceiling", profile="slice")
    two, both = crowd.two_agree(counts), asked.before.sum(1) > 1
    scores = {("accuracy", "another person"): two, ("accuracy", "majority"): asked.share.max(1),
              ("agreement with majority", "one person"): odd_one_out.with_others(counts),
              ("log loss", ""): crowd.true_doubt(counts), ("entropy", ""): crowd.true_doubt(counts)}  # fmt: skip
    value, drawn = asked.mean(np.stack(list(scores.values())))
    for (measure, detail), v, d in zip(scores, value, drawn):
        rows.add("crowd", measure, detail, v, d, len(counts))
    now, before = counts[both], asked.before[both]
    within = [crowd.two_agree(one) for one in (now, before)]
    over = crowd.across(now, before)
    same = (crowd.majority(now) * crowd.majority(before)).sum(1)
    scores = {"across minus within": over - np.mean(within, 0), "across": over, "within, now": within[0],
              "within, before": within[1], "same majority": same}  # fmt: skip
    questions = asked.crowd.questions[both]
    half = crowd.counted(asked.crowd.odd[_near_the_others(asked) >= 0.5])[both]  # added when the others had been seen
    near = crowd.across(half, before) - (crowd.two_agree(half) + within[1]) / 2
    scores["across minus within, half of the people"] = near
    value, drawn = resample.triplet_means(np.stack(list(scores.values())), questions, asked.concepts)
    for measure, v, d in zip(scores, value, drawn):
        rows.add("crowd", measure, "", v, d, int(both.sum()), stage="again")
    none = np.full(resample.DRAWS, np.nan)
    halves = {"crowd": crowd.halves_of_people(asked.crowd.odd), "now": crowd.halves_of_people(asked.crowd.odd[:, both]),
              "before": crowd.halves_of_answers(before)}  # fmt: skip
    known = {name: reliability(found) for name, found in halves.items()}
    found = {"half": known["crowd"][0], "reliability": known["crowd"][1], "ceiling": known["crowd"][1] ** 0.5}
    for detail, v in found.items():
        rows.add("crowd", "known doubt", detail, v, none, len(counts))
    v, d = resample.triplet_correlation(crowd.doubt(now), crowd.doubt(before), questions, asked.concepts)
    rows.add("crowd", "doubt, before and now", "", v, d, int(both.sum()), stage="again")
    limit = (known["now"][1] * known["before"][1]) ** 0.5
    rows.add("crowd", "doubt, before and now", "ceiling", limit, none, int(both.sum()), stage="again")
    return rows.measured()


def _near_the_others(asked: Asked) -> np.ndarray:
    """Rank of each person, 0 to 1, by how often they are the majority of the others."""
    odd, counts, near = asked.crowd.odd, asked.crowd.counts, []
    for row in odd:
        own = row[:, None] == np.arange(3)
        near.append((crowd.majority(counts - own) * own).sum(1).mean())
    return np.argsort(np.argsort(near, kind="stable")) / (len(odd) - 1)


def reliability(halves) -> tuple[float, float]:
    """Of entropies: mean rank correlation of two halves, and that of the whole (Spearman and Brown)."""
    half = float(np.mean([compare_vectors(crowd.doubt(first), crowd.doubt(second)) for first, second in halves]))
    return half, crowd.spearman_brown(half)


def two_agree_in_sets(source: Source, asked: Asked) -> pd.DataFrame:
    """Chance that two people agree in each set of repeated questions, in all of them and in those the crowd was asked.

    Returns
    -------
    DataFrame
        A result table: measure "two agree", detail "all questions" or "questions of the crowd".
    """
    known, rows = things_files.questions(asked.crowd.questions), results.Rows(model=PEOPLE, stage="ceiling")
    for name in TEST_SETS:
        answers = source.published(name).align(things_files.object_ids(source))
        objects, counts, _ = odd_one_out.response_counts(answers.triplets)
        two, shared = crowd.two_agree(counts), np.isin(things_files.questions(objects), known)
        for detail, part in (("all questions", np.ones(len(two), bool)), ("questions of the crowd", shared)):
            value, drawn = resample.triplet_means(two[part], objects[part], answers.concepts)
            rows.add(SETS[name], "two agree", detail, value, drawn, int(part.sum()), profile="slice")
    value, drawn = asked.mean(crowd.two_agree(asked.crowd.counts))
    rows.add("crowd", "two agree", "all questions", value, drawn, len(asked.crowd.questions), profile="slice")
    return rows.measured().table


@dataclass(frozen=True)
class Judge:
    """One model on the questions of the crowd.

    Attributes
    ----------
    model, kernel : str
    similarity : float array (m, m)
    temperatures : dict of str to float
        By rule: "1", "log loss", "ECE" (the lowest on other questions).
    odd : int array (q,)
        Its choices, positions in the sorted questions.
    chances : dict of str to float array (q, 3)
        By rule, its probability that each object is the odd one.
    """

    model: str
    kernel: str
    similarity: np.ndarray
    temperatures: dict
    odd: np.ndarray
    chances: dict

    @property
    def picked(self) -> np.ndarray:
        """Which object it picks, bool (q, 3)."""
        return self.odd[:, None] == np.arange(3)


def judge(part: Features, asked: Asked, first: Triplets) -> Judge:
    """A model with temperatures from other questions.

    Parameters
    ----------
    part : Features
    asked : Asked
    first : Triplets
        Responses that choose the temperatures, see :func:`elsewhere`.
    """
    kernel, questions = things_files.kernel_of(part.model), asked.crowd.questions
    similarity = similarity_matrix(part.align(first.ids).values, kernel)
    chosen = {rule: fit_temperature(similarity, first.triplets, rule.replace("log loss", "nll").lower())
              for rule in ("log loss", "ECE")}  # fmt: skip
    chosen = {"1": 1.0, **chosen}
    pairs = np.asarray(odd_one_out.pair_similarities(similarity, questions), float)[:, ::-1]  # by the one left out
    chances = {rule: odd_one_out.softmax(pairs / temperature) for rule, temperature in chosen.items()}
    odd = np.asarray(odd_one_out.choices(similarity, questions))
    return Judge(part.model, kernel, similarity, chosen, odd, chances)


def of_model(own: Judge, asked: Asked) -> Measured:
    """How one model agrees with the crowd, how sure it is, and whether it doubts where people do.

    Returns
    -------
    Measured
        Stage "zero-shot": "accuracy" (share of people's answers that equal the choice), "agreement with majority",
        "minus a person" (accuracy less the chance that two people agree), "sure minus unsure" (agreement with the
        majority, third of the questions with the lowest entropy of the crowd minus third with the highest). Stages "1",
        "log loss", "ECE" (rules of the temperature): "log loss", "overconfidence" (largest probability less accuracy),
        "entropy"; stage "log loss" also "doubt": Spearman's correlation of its entropy with people's.
    """
    counts, picked = asked.crowd.counts, own.picked
    right, top = (asked.share * picked).sum(1), (crowd.majority(counts) * picked).sum(1)
    scores = {(STAGE, "accuracy"): right, (STAGE, "agreement with majority"): top,
              (STAGE, "minus a person"): right - crowd.two_agree(counts)}  # fmt: skip
    for rule, p in own.chances.items():
        scores[rule, "log loss"] = -(asked.share * np.log(p)).sum(1)
        scores[rule, "overconfidence"] = p.max(1) - right
        scores[rule, "entropy"] = odd_one_out.entropy(p)
    rows = results.Rows(profile="slice", model=own.model, layer="penultimate", source=own.kernel)
    value, drawn = asked.mean(np.stack(list(scores.values())))
    for (stage, measure), v, d in zip(scores, value, drawn):
        rows.add("crowd", measure, "", v, d, len(counts), stage=stage)
    thirds = np.quantile(crowd.doubt(counts), [1 / 3, 2 / 3])
    low, high = crowd.doubt(counts) <= thirds[0], crowd.doubt(counts) > thirds[1]
    value, drawn = asked.mean(np.stack([top * low, low, top * high, high]).astype(float))
    v, d = (one[0] / one[1] - one[2] / one[3] for one in (value, drawn))
    rows.add("crowd", "sure minus unsure", "", v, d, int(low.sum() + high.sum()), stage=STAGE)
    entropy, questions = odd_one_out.entropy(own.chances["log loss"]), asked.crowd.questions
    v, d = resample.triplet_correlation(entropy, crowd.doubt(counts), questions, asked.concepts)
    rows.add("crowd", "doubt", "", v, d, len(counts), stage=STAGE)
    return rows.measured()


def calibrated(own: Judge, answers: dict[str, Triplets]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Calibration on all answers of several sets.

    Returns
    -------
    chosen : DataFrame
        model, set, rule, temperature, ece, nll, entropy, sureness, accuracy.
    reliability : DataFrame
        :func:`humalign.calibration.calibration_table` by model, set and rule ("1" and "log loss").
    """
    chosen, curves = [], []
    for name, part in answers.items():
        pairs = np.asarray(odd_one_out.pair_similarities(own.similarity, part.triplets), float)
        for rule, temperature in own.temperatures.items():
            p, key = odd_one_out.softmax(pairs / temperature), {"model": own.model, "set": name, "rule": rule}
            chosen.append({**key, "temperature": temperature, "ece": expected_calibration_error(p, calibration.BINS),
                           "nll": -np.log(p[:, 0]).mean(), "entropy": odd_one_out.entropy(p).mean(),
                           "sureness": p.max(1).mean(), "accuracy": (p.argmax(1) == 0).mean()})  # fmt: skip
            if rule in calibration.RULES:
                curves.append(calibration_table(p, calibration.BINS).assign(**key))
    return pd.DataFrame(chosen), pd.concat(curves, ignore_index=True)


def consistency(judges: list[Judge], asked: Asked, groups: dict[str, str]) -> Measured:
    """How alike models and single people err on the questions of the crowd: Cohen's kappa of right and wrong.

    Right is the majority of the other half of the people, so that nobody is held against an answer of their own; then
    the halves change places.

    Parameters
    ----------
    judges : list of Judge
    asked : Asked
    groups : dict of str to str
        Training group of each model.

    Returns
    -------
    Measured
        Measure "error consistency" with the name of another model as detail, "people" (mean over single people) or
        "networks" (mean over the other networks); model "people", detail "people": of two people.
    """
    odd, size = asked.crowd.odd, len(judges)
    order = np.random.default_rng(crowd.SEED).permutation(len(odd))
    halves = order[: len(odd) // 2], order[len(odd) // 2 :]
    pairs = [(i, j) for i in range(size) for j in range(size) if i != j]
    found: dict = {}
    for own, other in (halves, halves[::-1]):
        truth = crowd.majority(crowd.counted(odd[other]))
        right = [(truth * one.picked).sum(1) for one in judges]
        right += [np.take_along_axis(truth, odd[person][:, None].astype(int), 1)[:, 0] for person in own]
        right, n = np.stack(right), len(own)
        both = [(*pair, (judges[pair[0]].model, judges[pair[1]].model)) for pair in pairs]
        both += [(i, size + k, (judges[i].model, PEOPLE)) for i in range(size) for k in range(n)]
        both += [(size + k, size + (k + 1 + step) % n, (PEOPLE, PEOPLE)) for k in range(n) for step in range(BESIDE)]
        first, second = (right[[one[place] for one in both]] for place in (0, 1))
        alone, alone_drawn = asked.mean(right)
        same, same_drawn = asked.mean(first * second + (1 - first) * (1 - second))
        for row, (i, j, key) in enumerate(both):
            v = choices.error_consistency(same[row], alone[i], alone[j])
            d = choices.error_consistency(same_drawn[row], alone_drawn[i], alone_drawn[j])
            found.setdefault(key, []).append((float(v), d))
    mean = {key: (np.mean([v for v, _ in one]), np.mean([d for _, d in one], 0)) for key, one in found.items()}
    nets = [one.model for one in judges if groups[one.model] != IN_SAMPLE]
    for model in (one.model for one in judges):
        beside = [mean[model, other] for other in nets if other != model]
        mean[model, "networks"] = np.mean([v for v, _ in beside]), np.mean([d for _, d in beside], 0)
    rows = results.Rows(profile="slice", stage=STAGE, n=len(asked.crowd.questions))
    common = {"dataset": "crowd", "measure": choices.CONSISTENCY}
    made = [{**common, "model": a, "detail": b, "value": v, **rows.common} for (a, b), (v, _) in mean.items()]
    return Measured.of(made, np.stack([d for _, d in mean.values()]))


def by_person(judges: list[Judge], asked: Asked) -> pd.DataFrame:
    """One row a person: share of questions on which they are the majority of the others, on which another person
    agrees (mean over all others), and on which each model does."""
    odd, counts = asked.crowd.odd, asked.crowd.counts
    out = {"majority": [], "person": [], **{one.model: [] for one in judges}}
    for row in odd:
        own = row[:, None] == np.arange(3)
        others = counts - own
        out["majority"].append((crowd.majority(others) * own).sum(1).mean())
        out["person"].append((others * own).sum() / others.sum())
        for one in judges:
            out[one.model].append((one.odd == row).mean())
    return pd.DataFrame(out).sort_values("majority").reset_index(drop=True).rename_axis("rank").reset_index()


def failures(judges: list[Judge], asked: Asked, groups: dict[str, str], ids) -> pd.DataFrame:
    """Questions of the crowd on which people are sure and every network differs from them, the surest first.

    Returns
    -------
    DataFrame
        first, second, odd (concepts; odd: people's), share (of people), and one column a model: the concept it picks.
    """
    top, share = asked.crowd.counts.argmax(1), asked.share.max(1)
    wrong = np.all([one.odd != top for one in judges if groups[one.model] != IN_SAMPLE], axis=0)
    out = []
    for q in sorted(np.flatnonzero(wrong), key=lambda q: -share[q])[:SHOWN]:
        names = [ids[k] for k in asked.crowd.questions[q]]
        kept = [name for k, name in enumerate(names) if k != top[q]]
        picks = {one.model: names[one.odd[q]] for one in judges}
        out.append({"first": kept[0], "second": kept[1], "odd": names[top[q]], "share": share[q], **picks})
    return pd.DataFrame(out)


def pictured(source: Source, groups: dict[str, str], n: int = PICTURED) -> pd.DataFrame:
    """Questions that many people answered about concepts with a free photograph, those that networks miss most first.

    Returns
    -------
    DataFrame
        Three rows a question: question (a number), concept, people (share that calls it odd), answers, networks (how
        many call it odd, penultimate layer), of (networks).
    """
    answers = source.triplets("photographs")
    objects, counts, _ = odd_one_out.response_counts(answers.triplets)
    often = counts.sum(1) > real_networks.OFTEN
    objects, counts = objects[often], counts[often]
    picked = []
    for part in source.features("photographs", ("penultimate",)):
        if groups.get(part.model) != IN_SAMPLE:
            similarity = similarity_matrix(part.align(answers.ids).values, things_files.kernel_of(part.model))
            picked.append(np.asarray(odd_one_out.choices(similarity, objects))[:, None] == np.arange(3))
    picks, share = np.sum(picked, axis=0), counts / counts.sum(1, keepdims=True)
    sure = np.flatnonzero(share.max(1) > 0.5)
    order = sure[np.argsort(np.take_along_axis(picks, counts.argmax(1)[:, None], 1)[sure, 0], kind="stable")][:n]
    rows = [{"question": k + 1, "concept": answers.ids[objects[q, j]], "people": share[q, j],
             "answers": int(counts[q].sum()), "networks": int(picks[q, j]), "of": len(picked)}
            for k, q in enumerate(order) for j in range(3)]  # fmt: skip
    return pd.DataFrame(rows)


def apart(asked: Asked, ids, n: int = SHOWN) -> pd.DataFrame:
    """Questions on which the crowd and the people of THINGS-data differ most.

    Returns
    -------
    DataFrame
        concepts (the three, in words), before and now (the most frequent odd one), share before, share now (of the odd
        one of before), answers (before).
    """
    both = np.flatnonzero(asked.before.sum(1) > 1)
    before, now = asked.before[both] / asked.before[both].sum(1, keepdims=True), asked.share[both]
    within = (crowd.two_agree(asked.before[both]) + crowd.two_agree(asked.crowd.counts[both])) / 2
    order = np.argsort(crowd.across(asked.before[both], asked.crowd.counts[both]) - within)[:n]
    rows = []
    for q in order:
        names, top = [ids[k] for k in asked.crowd.questions[both[q]]], before[q].argmax()
        rows.append({"concepts": ", ".join(names), "before": names[top], "now": names[now[q].argmax()],
                     "share before": before[q, top], "share now": now[q, top],
                     "answers": int(asked.before[both[q]].sum())})  # fmt: skip
    return pd.DataFrame(rows)


def failed(judges: list[Judge], asked: Asked, groups: dict[str, str]) -> pd.DataFrame:
    """How many questions all networks miss, among all and among those that people are sure of.

    Returns
    -------
    DataFrame
        A result table: measure "questions", "missed by all", "missed by all, if independent"; detail "all" or "sure".
    """
    counts = asked.crowd.counts
    miss = np.stack([1 - (crowd.majority(counts) * one.picked).sum(1)
                     for one in judges if groups[one.model] != IN_SAMPLE])  # fmt: skip
    fitted = np.stack([(crowd.majority(counts) * one.picked).sum(1)
                       for one in judges if groups[one.model] == IN_SAMPLE])  # fmt: skip
    rows = []
    for detail, part in (("all", np.ones(len(counts), bool)), ("sure", asked.share.max(1) >= SURE)):
        every = miss[:, part].min(0)
        found = {"questions": part.sum(), "missed by all": every.sum(),
                 "missed by all, if independent": part.sum() * miss[:, part].mean(1).prod(),
                 "of these, an embedding is right": (every * fitted[:, part].max(0)).sum()}  # fmt: skip
        rows += [{"measure": key, "detail": detail, "value": value} for key, value in found.items()]
    return results.table(rows, dataset="crowd", model="networks", stage="failures", profile="slice")
