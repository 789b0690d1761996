"""The commands ``humalign world train`` and ``humalign world networks``."""

from __future__ import annotations

import argparse
import json
import sys
from functools import partial
from pathlib import Path

from ..cli import SEED, number

FACTS = ("model", "seed", "epochs", "final_loss", "own_accuracy", "probe_accuracy", "seconds")


def configure(parser: argparse.ArgumentParser) -> None:
    """Options of ``humalign world train``."""
    from ..zoo import small

    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"networks of zoo.toml, or {', '.join(small.TEACHERS)}"
    )
    parser.add_argument("--all", action="store_true", help="the whole list")
    parser.add_argument("--wave", type=int, help="only this wave of the list (1: first zoo)")
    parser.add_argument(
        "--seed", type=SEED, action="append", help="seed (repeat for several; default 0, with --all 0 1 2)"
    )
    parser.add_argument("--jobs", type=number(1), default=2, help="processes, one thread each (default 2)")
    parser.add_argument("--out", metavar="DIR", help="folder for weights (default: zoo in the cache)")
    parser.add_argument(
        "--record", action="store_true", help="seed 0 into the package, and all facts into its table of training runs"
    )
    parser.add_argument("--list", action="store_true", help="list the networks and what is trained")
    parser.add_argument("--ladder", action="store_true", help="choose epochs by the training loss, train nothing")
    parser.add_argument("--cache", metavar="DIR", help="folder for products that can be made again")
    parser.add_argument("--device", help="cpu, cuda, mps or auto")


def main(args) -> int:
    """Train, list, or choose epochs; exit code 0, or 1 when a training failed."""
    from ..config import get_profile
    from ..errors import InputError
    from ..world.train import SEEDS, ladder, train_many, train_teacher, training_pictures, write_records
    from ..zoo import small

    profile = get_profile("mini", cache=args.cache, device=args.device)
    cache = Path(args.out) if args.out else profile.cache / "zoo"
    seeds = tuple(args.seed or (SEEDS if args.all else (0,)))
    if args.list:
        list_networks(cache)
        return 0
    teachers = [name for name in args.names if name in small.TEACHERS]
    known = [small.spec(name)["name"] for name in args.names if name not in teachers]
    names = list(small.zoo()) if args.all else known
    if args.wave is not None:
        names = [n for n in (names or small.zoo()) if small.zoo()[n]["wave"] == args.wave]
    for name in teachers:
        place = small.weights_folder() if args.record else cache
        losses = train_teacher(name, folder=place, profile=profile, say=partial(print, name, flush=True))["losses"]
        print(f"{name}: loss {losses[0]:.4g} to {losses[-1]:.4g}", flush=True)
    if teachers and not names:
        return 0
    if not names:
        raise InputError(
            "no network is named", "humalign world train", "give names, --wave N or --all; --list shows them"
        )
    if args.ladder:
        for name in names:
            print(f"{name}: {ladder(name, profile, seed=seeds[0])} epochs", flush=True)
        return 0
    device = str(profile.torch_device())

    def folder_of(seed):
        return small.weights_folder() if args.record and seed == 0 else cache

    def after():
        if args.record:
            write_records([cache, small.weights_folder()])

    pairs = [(name, seed) for seed in seeds for name in names]
    # one seed of everything, then further seeds wave by wave
    pairs.sort(key=lambda pair: (0, 0) if pair[1] == seeds[0] else (1, small.zoo()[pair[0]]["wave"]))
    if len(pairs) == 1:
        meta = _alone(*pairs[0], folder_of, profile, device)
        after()
        print(json.dumps({key: meta[key] for key in FACTS}))
        _beside_recorded(meta)
        return 0
    training_pictures(names, profile)
    say = partial(print, flush=True)
    options = {"folder_of": folder_of, "profile": profile, "jobs": args.jobs, "device": device}
    return int(train_many(pairs, **options, after=after, say=say) > 0)


def _alone(name, seed, folder_of, profile, device):
    from tqdm import tqdm

    from ..world.train import train
    from ..zoo import small

    with tqdm(total=small.spec(name)["epochs"], desc=f"{name} seed {seed}", unit="epoch", file=sys.stderr) as bar:

        def say(epoch, loss):
            bar.n = epoch
            bar.set_postfix(loss=f"{loss:.3f}")

        return train(name, seed, folder=folder_of(seed), profile=profile, device=device, say=say)


def _beside_recorded(meta) -> None:
    from ..zoo import small

    runs = small.records()
    own = runs[runs.model == meta["model"]]
    if len(own):
        low, high = own.probe_accuracy.min(), own.probe_accuracy.max()
        print(f"recorded: {len(own)} seeds, linear probe {low:.3f} to {high:.3f}, loss {own.final_loss.min():.4g} to "
              f"{own.final_loss.max():.4g}")  # fmt: skip


def list_networks(cache) -> None:
    """Print the networks of the list, and of which training runs there are weights."""
    from ..store import read_json
    from ..world.stimuli import drawings_digest
    from ..world.train import SEEDS
    from ..zoo import small

    world = drawings_digest()
    for name, spec in small.zoo().items():
        have = []
        for seed in SEEDS:
            for folder in (small.weights_folder(), cache):
                file = Path(folder) / f"{name}.s{seed}.safetensors.json"
                if file.is_file():
                    have.append(f"{seed}" if read_json(file)["world"] == world else f"{seed} (older world)")
                    break
        print(
            f"{name:<28}{spec['arch']:<16}{spec['data']:<15}{spec['objective']:<16}{spec['epochs']:>3} epochs  "
            f"seeds {', '.join(have) or 'none'}"
        )
