"""The frozen protocol: parameters, hashes and numbers of everything, its document, and a check against drift."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from .. import store
from ..edition import NOW
from ..errors import InputError
from . import datasets, draw, kinds, observers, rules, stimuli
from .drawing import FOLDERS, world

HERE = Path(__file__).parent
FROZEN = NOW.within(HERE) / "frozen.json"
DOCUMENT = NOW.within(HERE) / "PROTOCOL.md"
THUMBNAILS = 30
_PIXEL_TOLERANCE = 4.0  # grey levels, mean over a thumbnail; another picture differs by about 60


def parameters() -> dict:
    """Every parameter and seed that decides the world."""
    own = {"side": NOW.side, "ratings": datasets.RATINGS} if NOW.folder else {}  # not in the first frozen file
    return {
        **own,
        "seed": stimuli.SEED,
        "counts": stimuli.COUNTS,
        "arrangements": stimuli.ARRANGEMENTS,
        "kappa": draw.KAPPA,
        "renderer": draw.VERSION,
        "supersampling": draw.SUPERSAMPLING,
        "palette": draw.PALETTE,
        "variation": draw.VARIATION,
        "scale": observers.SCALE,
        "observers": observers.PARAMETERS,
        "groups": {k: vars(g) for k, g in observers.GROUPS.items()},
        "sizes": datasets.SIZES,
        "training_sets": datasets.TRAINING_SETS,
    }


def _plain(value):
    """Nested value as JSON gives it back."""
    import json

    return json.loads(json.dumps(value))


def files() -> dict:
    """SHA-256 of every file that holds the world."""
    paths = [path for folder in FOLDERS for path in sorted(folder.glob("*.txt"))]
    paths += [observers.DIMENSIONS, HERE / "taxonomy.txt", kinds.FILE]
    return {str(path.relative_to(HERE)): store.sha256(path) for path in paths if path.is_file()}


def thumbnail_ids() -> tuple[str, ...]:
    """The pictures whose thumbnails are kept."""
    ids = stimuli.split_ids("test") + stimuli.split_ids("things")
    return tuple(sorted(stimuli.generator("thumbnails").permutation(list(ids))[:THUMBNAILS].tolist()))


def thumbnails() -> dict:
    """Id -> facts and 8x8 RGB thumbnail (flat list) of the kept pictures."""
    out = {}
    for name in thumbnail_ids():
        pixels, facts = stimuli.picture(name, 64)
        out[name] = {
            "view": facts["view"],
            "slots": facts["slots"],
            "scene": facts["scene"],
            "pixels": draw.reduce(pixels, 8).ravel().tolist(),
        }
    return out


def data_digests() -> dict:
    """Digest of the integers of each data set and split (what was shown, who answered, what was chosen)."""
    out = {}
    for name in ("things", "things-repeated", "things-repeated-again", "things-control", "coarse-labels", "levels"):
        t = datasets.DATASETS[name][1]()
        who = [] if t.participants is None else np.asarray(t.participants).astype(np.int64)
        out[name] = store.digest(list(t.ids), np.asarray(t.triplets).astype(np.int64), who)
    for split in stimuli.SPLITS:
        out[f"ids of {split}"] = store.digest(list(stimuli.split_ids(split)))
    out["concept split"] = store.digest(datasets.concept_split())
    out["control permutation"] = store.digest(observers.permutation())
    return out


def numbers() -> dict:
    """A few real numbers of each kind, compared with a tolerance."""
    seen = observers.values(stimuli.split_ids("things")[:3])
    return {
        "values": seen[:, :6].round(8).tolist(),
        "weights": observers.people("main").weights[:3, :4].round(8).tolist(),
        "arrangement": datasets.arrangement("cichy").rdm[:2, 0, 1:5].round(8).tolist(),
        "response_times": datasets.things().response_times[:5].round(8).tolist(),
    }


def state() -> dict:
    """Everything that is frozen, as it is now."""
    return {
        "concepts": len(world().concepts),
        "superordinates": len(world().superordinates),
        "second_views": sum(len(v) > 1 for v in world().views.values()),
        "files": files(),
        "parameters": _plain(parameters()),
        "data": data_digests(),
        "numbers": numbers(),
        "pictures": thumbnails(),
    }


def freeze(profile) -> dict:
    """Write frozen.json and the tables of PROTOCOL.md from the world as it is (once, before any network exists)."""
    store.write_json(
        FROZEN,
        {
            **state(),
            "calibration": _plain(rules.calibrate(profile)),
            "observed": rules.observed(),
            "overlap": rules.overlap(),
            **(
                {"rewired": _plain(rules.rewired_overlap(profile)), "naming": rules.naming(profile)}
                if NOW.folder
                else {}
            ),
        },
    )
    frozen = store.read_json(FROZEN)
    store.write_text(DOCUMENT, document(DOCUMENT.read_text("utf8"), frozen))
    return frozen


def drift(frozen: dict | None = None, now: dict | None = None) -> list[str]:
    """What differs between the frozen world and this one: one line each, empty when nothing does.

    Parameters
    ----------
    frozen, now : dict, optional
        Default: frozen.json, and :func:`state`.
    """
    frozen = store.read_json(FROZEN) if frozen is None else frozen
    now, problems = state() if now is None else now, []
    for key in ("concepts", "superordinates", "second_views"):
        if now[key] != frozen[key]:
            problems.append(f"{key}: {frozen[key]} were frozen, {now[key]} are here")
    for key, noun in (("files", "file"), ("parameters", "parameter"), ("data", "data")):
        for name in sorted({*now[key], *frozen[key]}):
            if now[key].get(name) != frozen[key].get(name):
                problems.append(f"{noun} '{name}' is not the frozen one")
    for name, value in frozen["numbers"].items():
        if not np.allclose(np.ravel(value), np.ravel(now["numbers"][name]), rtol=1e-4, atol=1e-6):
            problems.append(f"numbers '{name}' are not the frozen ones")
    for name, kept in frozen["pictures"].items():
        picture = now["pictures"].get(name)
        if picture is None or any(picture[k] != kept[k] for k in ("view", "slots", "scene")):
            problems.append(f"picture '{name}' shows something else")
        elif np.abs(np.subtract(picture["pixels"], kept["pixels"])).mean() > _PIXEL_TOLERANCE:
            problems.append(f"picture '{name}' looks different")
    return problems


def _table(head, rows) -> str:
    return "\n".join(
        ["| " + " | ".join(head) + " |", "|" + "---|" * len(head), *("| " + " | ".join(r) + " |" for r in rows)]
    )


def tables(frozen: dict) -> dict:
    """The blocks of PROTOCOL.md that are made from frozen.json: name -> Markdown."""
    calibration, seen, over = frozen["calibration"], frozen["observed"], frozen["overlap"]
    scale, kappa = calibration["scale"], calibration["kappa"]
    keys = ["bayes", "entries_above_.1", "density", "entropy", "share_p>.9", "share_p<.4"]

    def line(name, row):
        return [name, *(f"{row[k]:.1f}" if k == "entries_above_.1" else f"{row[k]:.3f}" for k in keys)]

    chosen = float(scale["chosen"])
    near = [s for s in scale["rows"] if abs(float(s) - chosen) < 0.07 or float(s) in (0.8, 1.0, 1.5)]
    rows = [line(f"scale {float(s):.2f}{' (chosen)' if float(s) == chosen else ''}", scale["rows"][s]) for s in near]
    if "vice" in calibration:
        rows.append(line("VICE (1,854 objects, real people)", calibration["vice"]))
    head = ["", "Bayes accuracy", "entries > .1 a row", "density", "entropy (nats)", "share p > .9", "share p < .4"]
    features = ["pixels", "pixels 8x8", "colour histogram", "edges"]
    coupling = [
        [f"{float(k):.1f}{' (chosen)' if float(k) == kappa['chosen'] else ''}", *(f"{r[f]:.4f}" for f in features)]
        for k, r in kappa["rows"].items()
    ]
    flat = {
        "Bayes accuracy on random things triplets": seen["bayes"],
        "accuracy of the group's mean values on things": seen["accuracy_of_group_mean"],
        "accuracy of the main group's values on the control group's choices": seen["control_vs_main_values"],
        "same answer when the same person is asked again": seen["repeat_agreement"],
        "median response time on things (s)": seen["median_seconds"],
        **{f"{k}: Bayes accuracy": seen["levels"][k]["bayes"] for k in datasets.LEVELS},
        **{
            f"{k}: Spearman of response time and the group's entropy": seen["levels"][k]["rt_entropy_spearman"]
            for k in datasets.LEVELS
        },
        **{f"{k}: split-half Spearman of the mean RDMs": v for k, v in seen["arrangement_split_half"].items()},
    }
    people = f"Excluded by the rules: {seen['levels_excluded']} of {seen['levels_people']} people of the levels set."
    r2 = sorted(over["dimensions"].items(), key=lambda item: -item[1]["taxonomy"])
    summary = (
        f"Mean adjusted R2 over dimensions: {over['mean_r2']['superordinate']:.2f} on superordinates, "
        f"{over['mean_r2']['taxonomy']:.2f} on superordinates and hypernyms. Mantel correlation (Spearman) of label "
        f"and observer dissimilarities of concepts: {over['mantel']:.3f} (p = {over['mantel_p']:.3f}); with the "
        f"permuted taxonomy {over['mantel_control']:.3f}. Pairs of concepts put under one superordinate by both "
        f"the drawing files and the label taxonomy, as a share of those put together by either: {over['purity']:.2f}."
    )
    shares = frozen.get("rewired", {})
    lines = [[name, *(f"{row[k]:.3f}" for k in ("mantel", "r2"))] for name, row in shares.items()]
    names = [[name, f"{value:.3f}"] for name, value in frozen.get("naming", {}).items()]
    return {
        "rewired": _table(["labels", "Mantel correlation", "mean adjusted R2"], lines),
        "naming": _table(["description", "test pictures named"], names),
        "calibration": _table(head, rows),
        "coupling": _table(["kappa", *features], coupling),
        "observed": _table(["quantity", "value"], [[k, f"{v:.3f}"] for k, v in flat.items()]) + f"\n\n{people}",
        "overlap": summary
        + "\n\n"
        + _table(
            ["dimension", "adjusted R2, superordinates", "with hypernyms"],
            [[n, f"{v['superordinate']:.2f}", f"{v['taxonomy']:.2f}"] for n, v in r2],
        ),
        "parameters": _table(
            ["parameter", "value"],
            [[k, "`" + str(v).replace("|", "/") + "`"] for k, v in frozen["parameters"].items() if k != "palette"],
        ),
        "hashes": _table(
            ["file or data", "hash"],
            [
                *([f"`{k}`", f"`{v[:16]}`"] for k, v in frozen["files"].items()),
                *([k, f"`{v}`"] for k, v in frozen["data"].items()),
            ],
        ),
    }


def document(text: str, frozen: dict) -> str:
    """PROTOCOL.md with its blocks ``<!-- name -->`` ... ``<!-- end -->`` filled from ``frozen``."""
    blocks = tables(frozen)

    def fill(match):
        if match[1] not in blocks:
            raise InputError(f"no block is called '{match[1]}'", DOCUMENT.name, f"choose one of {', '.join(blocks)}")
        return f"<!-- {match[1]} -->\n{blocks[match[1]]}\n<!-- end -->"

    return re.sub(r"<!-- (\w+) -->\n.*?<!-- end -->", fill, text, flags=re.S)
