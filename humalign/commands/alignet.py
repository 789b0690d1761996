"""AligNet on your own pictures, or in the drawn world.

teacher    fit the map of a frozen network that agrees with people
sample     draw triplets of pictures, let the teacher label them, store them in the released layout
train      fine-tune a student on the labels (default: human-aligned labels; start several processes with torchrun)
evaluate   measure a student: on stored triplets, and, for the mini zoo, on the drawn world
"""

from __future__ import annotations

from pathlib import Path

STEPS = {
    "teacher": "humalign alignet teacher --network mini:teacher-web --out work/teacher",
    "sample": """humalign alignet sample --teacher work/teacher --images pictures -n 20000 --validation 2000 \\
    --clusters 40 --out work/alignet""",
    "train": """humalign alignet train --student mini:softmax-resnet-m --images pictures --triplets work/alignet \\
    --preset mini --set steps=200 batch=64 --out work/student""",
    "evaluate": "humalign alignet evaluate work/student --images pictures --triplets work/alignet --world",
}
EXAMPLE = "\n".join(STEPS.values())
REAL_TEACHER = """
humalign alignet teacher --features things/clip_vit_b32 --dataset things/test_10_id \\
    --embedding things/vice_42 --strength 0.03 0.1 0.3 --profile slice --out teacher"""
PAPER = """
torchrun --nproc-per-node 8 -m humalign alignet train --student timm:vit_base_patch16_siglip_224 \\
    --images imagenet/train --triplets release_1.1 --sampling cluster_border_500 --workers 12 --out aligned"""


def configure(parser) -> None:
    """Options of ``humalign alignet``."""
    import argparse
    import textwrap

    from ..cli import SEED, STRENGTH, add_profile_options, number

    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")

    def add(name, text, example):
        part = actions.add_parser(
            name,
            help=text,
            description=text[:1].upper() + text[1:] + ".",
            epilog="example:\n" + textwrap.indent(example.strip(), "  "),
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        add_profile_options(part)
        return part

    teacher = add("teacher", "fit the map of a frozen network that agrees with people", STEPS["teacher"] + REAL_TEACHER)
    teacher.add_argument(
        "--network", help="mini:NAME, timm:NAME or open_clip:ARCH/TAG: whose features of the judged pictures are used"
    )
    teacher.add_argument(
        "--features", metavar="FILE", help="features of the judged pictures instead: npz with ids and values"
    )
    teacher.add_argument("--images", metavar="DIR", help="the judged pictures, for networks outside the mini zoo")
    teacher.add_argument("--dataset", metavar="NAME", help="human choices of the profile (default in mini: things)")
    teacher.add_argument(
        "--embedding", metavar="NAME", help="human embedding for soft targets (default in mini: the observers' values)"
    )
    teacher.add_argument(
        "--kind", default="uncertainty", choices=("uncertainty", "plain", "glocal"), help="default: uncertainty"
    )
    teacher.add_argument(
        "--strength",
        type=STRENGTH,
        nargs="+",
        default=[0.1],
        help="pull to a scaled identity; several are compared by object-wise cross-validation (default: 0.1)",
    )
    teacher.add_argument(
        "--folds", type=number(2), default=3, help="folds of the cross-validation over objects (default: 3)"
    )
    teacher.add_argument("--out", required=True, metavar="DIR", help="folder for the teacher")

    sample = add("sample", "draw triplets and label them with the teacher's similarities", STEPS["sample"])
    sample.add_argument("--teacher", required=True, metavar="DIR", help="folder that 'teacher' wrote")
    sample.add_argument("--images", metavar="DIR", help="folder with pictures; subfolders count as classes")
    sample.add_argument("--features", metavar="FILE", help="features of the pictures instead: npz with ids and values")
    sample.add_argument(
        "--transform",
        default="human-aligned",
        choices=("human-aligned", "untransformed"),
        help="labels of the map (default) or of the features as they are (UnAligNet)",
    )
    sample.add_argument(
        "--sampling", default="cluster_border", help="rule (default: cluster_border); mixed adds random triplets"
    )
    sample.add_argument("--clusters", type=number(2), default=500, help="k of k-means (default: 500)")
    sample.add_argument(
        "-n", "--triplets", type=number(1), default=10_000_000, help="training triplets (default: 10,000,000)"
    )
    sample.add_argument("--validation", type=number(), default=10_000, help="validation triplets (default: 10,000)")
    sample.add_argument("--memory", type=number(1), default=256, metavar="MB", help="for one piece (default: 256)")
    sample.add_argument("--seed", type=SEED, default=0)
    sample.add_argument("--out", required=True, metavar="DIR", help="folder for the triplets")

    train = add("train", "fine-tune a student on the teacher's labels", STEPS["train"] + PAPER)
    train.add_argument("--student", required=True, help="mini:NAME, timm:NAME or open_clip:ARCH/TAG")
    train.add_argument("--images", required=True, metavar="DIR", help="the folder the triplets were drawn from")
    train.add_argument(
        "--triplets", required=True, metavar="PATH", help="npz file, or folder that 'sample' wrote or with the release"
    )
    train.add_argument(
        "--transform", default="human-aligned", help="whose labels (default: human-aligned; untransformed is UnAligNet)"
    )
    train.add_argument("--sampling", help="which file of the folder (default: the only one)")
    train.add_argument("--preset", default="paper", help="paper (default), paper-kl or mini")
    train.add_argument(
        "--set", nargs="*", default=[], metavar="KEY=VALUE", help="change settings, for instance steps=2000 decay=0.5"
    )
    start = train.add_mutually_exclusive_group()
    start.add_argument("--scratch", action="store_true", help="start from random weights")
    start.add_argument(
        "--checkpoint",
        metavar="FILE",
        help="start from the weights of this file, for timm and open_clip without a network",
    )
    train.add_argument("--workers", type=number(), default=0, help="processes that read pictures ahead (default: 0)")
    train.add_argument(
        "--out", required=True, metavar="DIR", help="folder for checkpoints and the student; a started run goes on"
    )

    evaluate = add("evaluate", "measure a student", STEPS["evaluate"])
    evaluate.add_argument("student", help="folder that 'train' wrote, or a name (mini:NAME ...) for a network as it is")
    evaluate.add_argument("--images", metavar="DIR", help="pictures of the stored triplets")
    evaluate.add_argument("--triplets", metavar="PATH", help="stored triplets, see train")
    evaluate.add_argument("--transform", default="human-aligned")
    evaluate.add_argument("--sampling")
    evaluate.add_argument(
        "--world", action="store_true", help="all measures of the drawn world as well (networks of the mini zoo)"
    )
    evaluate.add_argument("--csv", metavar="FILE", help="write the result table")


def main(args) -> int:
    """Run one action."""
    from ..alignet import pipeline
    from ..cli import profile_from

    profile = profile_from(args)
    return {"teacher": _teacher, "sample": _sample, "train": _train, "evaluate": _evaluate}[args.action](
        args, profile, pipeline
    )


def _teacher(args, profile, _) -> int:
    from ..alignet import judged

    data = judged.judged(profile, args.network, args.features, args.images, args.dataset, args.embedding)
    teacher, table = judged.fit_teacher(data, args.kind, args.strength, args.folds)
    if table is not None:
        mean = table.groupby(["strength", "measure"])["value"].mean().unstack()
        print("held-out objects, mean over folds:\n" + mean.round(4).to_string())
    print(f"{teacher.save(args.out)}: {teacher.kind}, strength {teacher.meta['strength']:g}, {data.title}")
    return 0


def _sample(args, profile, pipeline) -> int:
    options = {"transform": args.transform, "rule": args.sampling, "clusters": args.clusters, "n": args.triplets}
    options |= {"validation": args.validation, "memory": args.memory << 20, "seed": args.seed}
    files = pipeline.make_triplets(
        profile, args.teacher, args.out, images=args.images, features=args.features, **options
    )
    for file in files:
        print(file)
    return 0


def _train(args, profile, pipeline) -> int:
    from ..alignet.settings import preset

    changes = pipeline.parse_settings(args.set)
    if "teacher" in changes:
        from ..errors import InputError

        raise InputError("is said by --transform", "teacher", "use --transform untransformed for UnAligNet")
    kind = "untransformed" if args.transform == "untransformed" else "human-aligned"
    settings = preset(args.preset, teacher=kind, **changes)
    options = {"transform": args.transform, "sampling": args.sampling, "scratch": args.scratch, "workers": args.workers}
    options["checkpoint"] = args.checkpoint
    outcome = pipeline.train(profile, args.student, args.images, args.triplets, settings, args.out, **options)
    if outcome is not None:
        print(
            f"{Path(args.out) / 'student.safetensors'}: step {outcome.step}, loss {outcome.log[-1]['loss']:.4f}, "
            f"temperature {outcome.temperature:.4g}, weights changed by {outcome.displacement:.1%}"
        )
    return 0


def _evaluate(args, profile, pipeline) -> int:
    from ..errors import InputError
    from ..results import combine, write

    parts = []
    if args.triplets:
        if not args.images:
            raise InputError("stored triplets need their pictures", "evaluate", "give --images")
        options = {"transform": args.transform, "sampling": args.sampling}
        parts.append(pipeline.evaluate(profile, args.student, images=args.images, triplets=args.triplets, **options))
    if args.world:
        from ..experiments.queue import evaluate

        parts.append(evaluate(profile, args.student))
    if not parts:
        raise InputError("nothing to measure", "evaluate", "give --triplets and --images, or --world")
    table = combine(*parts)
    print(
        table[["dataset", "measure", "detail", "value", "low", "high", "n"]].to_string(index=False, float_format="%.3f")
    )
    if args.csv:
        print(write(table, args.csv))
    return 0
