"""Learn a linear transform of features from human odd-one-out choices, with object-wise cross-validation.

FEATURES is a file with ids (.npy, .npz, .safetensors, HDF5), or a folder that 'humalign extract' wrote; triplets are a
role (things), a study or a data set of 'humalign data list'. Prints the held-out table; --out stores the transform
(npz: weights, mean, std).
"""

from __future__ import annotations

from ..cli import SEED, STRENGTH, add_profile_options, number, profile_from

EXAMPLE = """
humalign probe clip.safetensors --triplets things/test_10_id --data DATA --profile slice --out clip-probe.npz
humalign probe features.npz --triplets things --penalty fro2 --strengths 0.1 0.03 0.01 --json probe.json
"""


def configure(parser) -> None:
    """Options of ``humalign probe``."""
    parser.add_argument("features", metavar="FEATURES")
    parser.add_argument("--layer", help="which array, where the file holds several")
    parser.add_argument("--triplets", required=True, metavar="NAME", help="data set with triplets")
    parser.add_argument("--penalty", choices=("fro", "fro2", "identity"), default="fro", help="default: fro")
    parser.add_argument("--strengths", type=STRENGTH, nargs="+", metavar="S", help="grid (default: the paper's)")
    parser.add_argument("--folds", type=number(2), default=3, metavar="K", help="folds over objects (default: 3)")
    parser.add_argument("--seed", type=SEED, default=42, help="of the folds")
    parser.add_argument("--nested", action="store_true", help="choose the strength inside each fold's training objects")
    parser.add_argument("--solver", choices=("exact", "paper"), default="exact", help="default: exact")
    parser.add_argument(
        "--ties", choices=("paper", "fraction", "harsh"), default="paper",
        help="what ties count in the table of accuracies (default: paper); intervals keep the paper's rule",
    )  # fmt: skip
    parser.add_argument(
        "--keep", choices=("last", "mean", "all"), default="last",
        help="transform to store: last fold (the paper's), mean of folds, or refitted on all triplets",
    )  # fmt: skip
    parser.add_argument("--out", metavar="FILE.npz", help="store the transform")
    parser.add_argument("--json", metavar="FILE", help="store the table")
    add_profile_options(parser)


def main(args) -> int:
    """Cross-validate, print the table, store the transform."""
    from pathlib import Path

    import numpy as np

    from ..errors import InputError
    from ..features import read
    from ..source import open_source

    if args.out and Path(args.out).suffix != ".npz":
        raise InputError("does not end in .npz", args.out, "name it so")
    profile = profile_from(args)
    features = read(args.features, args.layer, data=profile.data)
    data = open_source(profile).answers_of(args.triplets)
    if not hasattr(data, "triplets"):
        raise InputError("holds no triplets", args.triplets, "'humalign data list' names the kinds")
    values = features.align(data.ids).values

    from .. import odd_one_out, probing
    from ..resample import interval, triplet_means
    from ..similarity import similarity_matrix
    from ..store import write_json

    groups = np.asarray(data.concepts)
    strengths = args.strengths or probing.STRENGTHS
    device = profile.torch_device()
    found = probing.cross_validation(
        values, data.triplets, strengths, args.folds, args.seed, groups=groups, nested=args.nested,
        penalty=args.penalty, solver=args.solver, ties=args.ties, device=device,
    )  # fmt: skip
    held = found.held_out()
    rows = data.triplets[held["triplet"].to_numpy()]
    after = (held["choice"] == 2).to_numpy(float)
    before = odd_one_out.scores(similarity_matrix(values), rows)
    print(found.table.drop(columns="converged").to_string(index=False, float_format=lambda value: f"{value:.4g}"))
    print(f"\nheld-out objects, {len(rows)} triplets; 95 % intervals over concepts")
    lines, values = {}, triplet_means(np.stack([before, after, after - before]), rows, groups)
    for name, value, draws in zip(("zero-shot (cosine)", "probed", "gain"), *values):
        low, high = interval(draws)
        lines[name] = {"value": float(value), "low": float(low), "high": float(high)}
        print(f"  {name:<20}{value:8.4f}  [{low:.4f}, {high:.4f}]")
    print(f"selected strength: {found.strength:g} (lowest mean held-out cross-entropy)")
    if args.out:
        if args.keep == "all":
            transform = probing.fit(
                values, data.triplets, penalty=args.penalty, strength=found.strength, solver=args.solver, device=device
            )
        else:
            transform = found.transform(args.keep)
        print(f"transform: {transform.save(args.out)}")
    if args.json:
        write_json(args.json, {"table": found.table.to_dict("records"), "held_out": lines, "strength": found.strength})
    return 0
