"""Draw the mini world, look at it, verify that it is the frozen one, train its networks."""

from __future__ import annotations

from pathlib import Path

from . import world_train

EXAMPLE = """
humalign world draw dog --size 256 --view 2 --out dog.png
humalign world sheet --views --out sheet.png
humalign world data --concepts
humalign world data --out drawn-world
humalign world verify
humalign world train softmax-resnet-m --seed 0
"""


def configure(parser) -> None:
    """Actions and options of ``humalign world``."""
    from ..cli import SEED, add_profile_options, number

    actions = parser.add_subparsers(dest="action", required=True, metavar="{draw,sheet,data,verify,train,networks}")

    def action(name, line):
        return actions.add_parser(name, help=line, description=line)

    one = action("draw", "draw one picture of a concept, or the picture of an id (dog/test3)")
    one.add_argument("name", metavar="CONCEPT|ID")
    one.add_argument("--seed", type=SEED, default=0, help="another picture of the concept (default 0)")
    one.add_argument("--size", type=int, default=256, help="pixels (default 256)")
    one.add_argument("--view", type=number(1), help="number of the view, from 1")
    one.add_argument(
        "--kappa", type=number(0, 1, float), help="probability of a habitual scene (default: the frozen one)"
    )
    one.add_argument("--out", type=Path, help="PNG to write (default NAME.png)")
    sheet = action("sheet", "contact sheet of concepts")
    sheet.add_argument("names", nargs="*", metavar="CONCEPT", help="default: all")
    sheet.add_argument("--each", type=int, default=1, help="pictures of each concept (default 1)")
    sheet.add_argument("--views", action="store_true", help="one picture of each drawn view instead")
    sheet.add_argument("--no-labels", action="store_true", help="without names, for a blind naming check")
    sheet.add_argument("--columns", type=int, default=12)
    sheet.add_argument("--size", type=int, default=96, help="pixels of a cell (default 96)")
    sheet.add_argument("--seed", type=SEED, default=0)
    sheet.add_argument("--out", type=Path, default=Path("sheet.png"), help="PNG to write (default sheet.png)")
    data = action("data", "what the world holds; write it as a data folder to imitate; draw pictures into the cache")
    data.add_argument("--concepts", action="store_true", help="list superordinates and concepts")
    data.add_argument("--out", type=Path, metavar="DIR", help="write pictures and answers as a plain data folder")
    data.add_argument("--draw", nargs="+", metavar="SPLIT", help="draw these splits into the cache")
    data.add_argument("--size", type=int, default=32, help="pixels (default 32)")
    add_profile_options(data)
    verify = action("verify", "compare the world with the frozen protocol (exit code 1 when it drifted)")
    verify.add_argument("--calibration", action="store_true", help="compute the rules for scale and scenes again")
    world_train.configure(action("train", "train networks of the mini zoo"))
    world_train.configure(action("networks", "list the networks of the mini zoo"))


def main(args) -> int:
    """Run one action; the exit code is 0, or 1 when the world is not the frozen one."""
    if args.action in ("train", "networks"):
        args.list = args.list or args.action == "networks"
        return world_train.main(args)
    return {"draw": _draw, "sheet": _sheet, "data": _data, "verify": _verify}[args.action](args)


def _save(image, path: Path) -> None:
    from ..store import atomic_path

    with atomic_path(path) as partial:
        image.save(partial, format="PNG")
    print(f"{path}: {image.width} x {image.height} pixels")


def _positive(value: int, option: str, most: int = 4096) -> int:
    from ..errors import InputError

    if not 1 <= value <= most:
        raise InputError(f"{value} is out of range", option, f"choose 1 to {most}")
    return value


def _draw(args) -> int:
    from PIL import Image

    from ..errors import InputError
    from ..world import draw, stimuli

    size, kappa = _positive(args.size, "--size"), draw.KAPPA if args.kappa is None else args.kappa
    if "/" in args.name:
        if not any(args.name in stimuli.split_ids(split) for split in stimuli.SPLITS):
            raise InputError(
                "is no picture of the drawn world", args.name, "ids are like dog/1, dog/test3 or dog/cichy"
            )
        pixels, facts = stimuli.picture(args.name, size, kappa)
    else:
        pixels, facts = draw.render(args.name, draw.seed_of(f"command/{args.name}/{args.seed}"), size, args.view, kappa)
    _save(Image.fromarray(pixels), args.out or Path(args.name.replace("/", "-") + ".png"))
    colours = ", ".join(f"{slot} {name}" for slot, name in facts["slots"].items())
    print(f"view {facts['view']}, colours {colours}, background {facts['scene']}")
    return 0


def _sheet(args) -> int:
    from ..world import draw

    sheet = draw.contact_sheet(
        args.names or None,
        _positive(args.each, "--each"),
        _positive(args.columns, "--columns"),
        _positive(args.size, "--size"),
        args.seed,
        not args.no_labels,
        views=args.views,
    )
    _save(sheet, args.out)
    return 0


def _data(args) -> int:
    from ..cli import profile_from
    from ..world import datasets, stimuli
    from ..world.drawing import world

    drawings = world()
    if args.concepts:
        for superordinate in drawings.superordinates:
            names = (
                name + (f" ({len(drawings.views[name])} views)" if len(drawings.views[name]) > 1 else "")
                for name in drawings.members(superordinate)
            )
            print(f"{superordinate}: {', '.join(names)}")
        return 0
    if args.out:
        from ..data.plain import studies
        from ..world import folder

        folder.write(args.out, profile_from(args))
        print(f"{args.out}: {', '.join(studies(args.out))}; 'python -m pydoc humalign.data.plain' describes the layout")
        return 0
    if args.draw:
        profile = profile_from(args)
        for split in args.draw:
            drawn = stimuli.images(split, _positive(args.size, "--size", 512), profile)
            print(f"{split}: {len(drawn)} pictures of {args.size} x {args.size} pixels in {profile.cache / 'world'}")
        return 0
    further = sum(len(views) > 1 for views in drawings.views.values())
    print(
        f"{len(drawings.concepts)} concepts, {len(drawings.superordinates)} superordinates, {further} with two views\n"
    )
    for split in stimuli.SPLITS:
        print(f"  pictures {split:<10}{len(stimuli.split_ids(split)):>7}")
    print()
    for name, (title, _) in datasets.DATASETS.items():
        print(f"  {name:<24}{title}")
    return 0


def _verify(args) -> int:
    from ..world import draw, observers, protocol, rules

    problems = protocol.drift()
    if args.calibration:
        chosen = rules.calibrate_scale()["chosen"], rules.calibrate_kappa()["chosen"]
        print(f"rules: scale {chosen[0]}, kappa {chosen[1]}; frozen: scale {observers.SCALE}, kappa {draw.KAPPA}")
        if chosen != (observers.SCALE, draw.KAPPA):
            problems.append("the rules of PROTOCOL.md choose another scale or kappa")
    for problem in problems:
        print(problem)
    print(f"{len(problems)} differences" if problems else "the world is the frozen one")
    return int(bool(problems))
