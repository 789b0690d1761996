"""Turn images into features: any layer of any network, from a folder or a data set, resumable after a kill.

MODEL is a key of 'humalign models', a network of the drawn world, timm:NAME, open_clip:ARCH/TAG, torchvision:NAME, or a
weights file whose architecture can be told. The preprocessing is the model's own unless --preprocess says otherwise.
Several GPUs or processes: torchrun --nproc-per-node N -m humalign extract ...
"""

from __future__ import annotations

from ..cli import SEED, add_profile_options, number, profile_from
from .plan import add_tier

EXAMPLE = """
humalign extract timm:resnet18 --untrained --images photos/ --layers penultimate logits layer3:gap --out features/
humalign extract resnet50 --images photos/ --layers $(humalign models resnet50 --stages) --out features/
humalign extract --tier small --data DATA    # every network of the tier from every set of its pictures
humalign extract squeezenet1_0 --dataset mur92/images --data DATA --profile slice --out squeezenet/
"""


def configure(parser) -> None:
    """Options of ``humalign extract``."""
    parser.add_argument("model", nargs="?", metavar="MODEL")
    add_tier(parser)
    images = parser.add_mutually_exclusive_group()
    images.add_argument("--images", metavar="DIR", help="folder with images; ids are the paths without suffix")
    images.add_argument("--dataset", metavar="NAME", help="data set or study with pictures ('humalign data list')")
    parser.add_argument(
        "--layers",
        nargs="+",
        default=["penultimate"],
        metavar="LAYER",
        help="penultimate, logits, or MODULE[@in][:none|gap|cls]; all in one pass, kept in order of depth",
    )
    parser.add_argument("--pool", choices=("none", "gap", "cls"), help="pooling of layers that name none")
    parser.add_argument("--out", metavar="DIR", help="folder for the shards; the same command goes on there")
    parser.add_argument("--merge", metavar="FILE", help="also write one .safetensors file with all layers")
    parser.add_argument(
        "--batch-size", type=number(1), metavar="N", help="images at a time (default: 32 on a CPU, else 256)"
    )
    parser.add_argument(
        "--bf16", action="store_true", help="run the network in bfloat16 (autocast); features stay float32"
    )
    parser.add_argument(
        "--workers", type=number(), metavar="N", help="processes that decode images (default: by device)"
    )
    parser.add_argument("--checkpoint", metavar="FILE", help="weights from this file (.safetensors, .npz, torch)")
    parser.add_argument("--untrained", action="store_true", help="random weights")
    parser.add_argument(
        "--seed", type=SEED, default=0, help="of random weights, or which training run of a mini network"
    )
    parser.add_argument(
        "--preprocess",
        choices=("own", "paper1", "alignet"),
        default="own",
        help="paper1: 256, crop 224; alignet: OpenCV cubic to 224, values in [0, 1]",
    )
    parser.add_argument("--restart", action="store_true", help="replace what --out holds instead of going on")
    add_profile_options(parser)


def pictures_of(name, source):
    """The pictures of a role, a study or a published data set; InputError where it has none."""
    from ..data.types import Stimuli
    from ..errors import InputError

    found = source.pictures(name) if name in source.roles() else source.published(name)
    if isinstance(found, dict):
        found = next((one for one in found.values() if isinstance(one, Stimuli)), found)
    if not isinstance(found, Stimuli) or found.images is None:
        raise InputError("has no images", f"data set '{name}'", "choose one of kind 'stimuli' ('humalign data list')")
    return found


def main(args) -> int:
    """Extract, then say where the features are."""
    from ..errors import InputError
    from ..features import extract, from_folder, merge
    from ..features.extraction import Ranks
    from ..features.shards import layers, manifest
    from ..source import open_source
    from ..zoo import load

    if args.tier:
        from ..book import tiers

        if args.model or args.images or args.dataset or args.out:
            raise InputError("does not go with a network, pictures or --out", "--tier", "give it alone")
        return 0 if tiers.extract(args.tier, profile_from(args).with_(name="full")) else 2
    if not (args.model and (args.images or args.dataset) and args.out):
        raise InputError("needs MODEL, --images or --dataset, and --out", "extract", "or --tier; see --help")
    if args.merge and not args.merge.endswith(".safetensors"):
        raise InputError("must end in .safetensors", args.merge, "name another file")
    profile = profile_from(args)
    stimuli = from_folder(args.images) if args.images else pictures_of(args.dataset, open_source(profile))
    model = load(
        args.model, not args.untrained, args.checkpoint, preprocess=args.preprocess, seed=args.seed, profile=profile
    )
    out = extract(
        model,
        stimuli,
        args.layers,
        device=profile.device,
        batch_size=args.batch_size,
        dtype="bf16" if args.bf16 else "float32",
        workers=args.workers,
        out=args.out,
        resume=not args.restart,
        pool=args.pool,
    )
    if Ranks.from_environment().rank:
        return 0
    about = manifest(out)
    for name in layers(out):
        layer = about["layers"][name]
        print(f"{name}: {about['n']} x {layer['width']} ({layer['module']})")
    if args.merge:
        print(merge(out, args.merge))
    print(out)
    return 0
