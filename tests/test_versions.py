"""No number moves without a new version: the products of a small source against those recorded for their versions.

The source is small and the same everywhere: the people and pictures of the drawn world, few of their answers, and two
networks that are made up (what people see, mixed and disturbed). Only ``features`` and ``layers`` come from networks of
the zoo. When a number has to move, raise the ``VERSION`` of its module and record again: ``python
tests/test_versions.py``. Tables of the real files have their records in the package.
"""

import io
import json
import sys
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from humalign import cache
from humalign.chapters import (
    alignet_data,
    calibration,
    concepts,
    generalisation,
    levels,
    probing,
    recovery,
    rsa,
    student,
    teacher,
    zero_shot,
)
from humalign.chapters import representation_comparison as comparison
from humalign.config import get_profile
from humalign.data.types import Features
from humalign.source import LAYERS, Source, open_source
from humalign.store import write_json
from humalign.world import observers, stimuli

RECORD = Path(__file__).with_name("versions.json")
RECORDED = json.loads(RECORD.read_text("utf8")) if RECORD.is_file() else {}
MODELS = ["softmax-resnet-m", "imagetext-resnet-m"]
SMALLEST = "softmax-resnet-s"  # really looks at pictures
TRIPLETS = 3000
NEVER = {"seconds", "iterations"}  # columns that differ from machine to machine
FITTED = ("probe-", "alignet-strengths", "teacher-")  # a choice near a tie may flip where a fit ends a little elsewhere


def made(model, layer, split):
    """Features of a network that sees what people see, in another basis and with noise."""
    seen = observers.values(stimuli.split_ids(split))
    rng = np.random.default_rng([zlib.crc32(f"{model} {layer}".encode()), len(seen)])
    seen = seen @ rng.normal(size=(seen.shape[1], 12))
    return (seen + seen.std() * rng.normal(size=seen.shape)).astype(np.float32)


def features(source, role="things", layers=LAYERS, models=None, seeds=(0,)):
    """In place of :meth:`Source.features`."""
    split = source.shown(role)
    for model in MODELS if models is None else models:
        for layer in layers:
            values, meta = made(model, layer, split), {"seed": 0, "weights": model, "digest": model}
            yield Features(stimuli.split_ids(split), values, model, layer, "made up", "none", model, meta)


def products(folder) -> dict:
    """Everything that is kept while the studies run once: name to (version, arrays)."""
    profile, found = get_profile("mini", cache=folder), {}
    every, asked, plain = Source.triplets, Source.people, cache.cached

    def watched(folder, name, parts, make):
        out = plain(folder, name, parts, make)
        found[name] = parts[0], out
        return out

    def few(source, role="things"):
        own = every(source, role)
        return own.select(np.arange(0, len(own), len(own) // TRIPLETS))

    def their_people(source, role="things"):
        with pytest.MonkeyPatch.context() as whole:
            whole.setattr(Source, "triplets", every)
            own = asked(source, role)
        n = len(own.probabilities)
        return replace(own, probabilities=own.probabilities[:: n // TRIPLETS])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cache, "cached", watched)
        source = open_source(profile)
        comparison.along_depth(source, [SMALLEST])
        patch.setattr(Source, "triplets", few)
        patch.setattr(Source, "people", their_people)
        patch.setattr(Source, "features", features)
        patch.setattr(Source, "models", lambda source, role=None, seed=0: MODELS)
        patch.setattr(teacher, "features", lambda source, name, split, seed=0: made(name, "penultimate", split))
        patch.setattr(teacher, "STRENGTHS", (0.1,))
        zero_shot.measure(source)
        concepts.predicted(source)
        rsa.measure(source, roles=("cichy",))
        probing.measure_rsa(source, roles=("cichy",))
        probing.measure(source)
        probing.solvers(source, MODELS[:1], max_epochs=2)
        calibration.measure(source)
        comparison.choices(source)
        comparison.pairs_of_layer(source)
        comparison.people_entropy(source)
        concepts.measure(source)
        concepts.regression(source)
        levels.measure(source)
        generalisation.measure(source, shots=(1,), draws=2)
        recovery.measure(source, MODELS, trials=TRIPLETS, strengths=(0.003,))
        student.split_lines(source, n=200)
        student.level_options(source, MODELS)
        teacher.strengths(source)
        alignet_data.sampled(source, clusters=20, n=200, rules=("cluster",))
    return found


def numbers(arrays: dict) -> dict:
    """Of each array and each column with numbers: how many, how many missing, mean, spread, and a random projection."""
    columns = {}
    for key, value in arrays.items():
        if key == cache.MEASURED or key.startswith(cache.TABLE):
            table = pd.read_csv(io.BytesIO(value.tobytes()))
            columns |= {f"{key} {c}": table[c] for c in table.select_dtypes(["number", "bool"]) if c not in NEVER}
        else:
            columns[key] = value
    out = {}
    for key, value in columns.items():
        x = np.asarray(value, np.float64).ravel()
        missing = int(np.isnan(x).sum())
        x = np.nan_to_num(x)
        along = np.random.default_rng(len(x)).normal(size=len(x)) @ x / np.sqrt(max(len(x), 1))
        out[key] = [len(x), missing, *(float(f"{v:.6g}") for v in (x.mean(), x.std(), along))]
    return out


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    return products(tmp_path_factory.mktemp("cache"))


def test_every_product_is_recorded(found):
    assert set(found) == set(RECORDED)


@pytest.mark.parametrize("name", RECORDED)
def test_numbers_move_only_with_their_version(found, name):
    (version, arrays), recorded = found[name], RECORDED[name]
    assert version == recorded["version"], "record the numbers of the new version: python tests/test_versions.py"
    assert moved(name, numbers(arrays), recorded["numbers"]) == [], "raise VERSION where this product is made"


def moved(name: str, new: dict, old: dict) -> list[str]:
    """Arrays and columns whose numbers differ by more than processors do."""
    most = 5e-3 if name.startswith(FITTED) else 2e-4
    close = {k: np.allclose(new[k], old[k], rtol=most, atol=most) for k in set(new) & set(old)}
    return sorted(k for k in set(new) | set(old) if not close.get(k))


def record(folder):
    """Write the numbers of this code; refuses those that moved without a new version."""
    out = {name: {"version": version, "numbers": numbers(arrays)}
           for name, (version, arrays) in sorted(products(folder).items())}  # fmt: skip
    for name in set(out) & set(RECORDED):
        new, old = out[name], RECORDED[name]
        if new["version"] == old["version"] and moved(name, new["numbers"], old["numbers"]):
            sys.exit(f"the numbers of {name} moved, raise the version where it is made")
    write_json(RECORD, out)


if __name__ == "__main__":
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        record(Path(folder))
