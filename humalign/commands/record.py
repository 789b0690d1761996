"""Compute the numbers that need data from outside the repository and store them as recorded results."""

import os
from pathlib import Path

EXAMPLE = """
HUMALIGN_DATA=path/to/data humalign record
humalign record --data path/to/data --out /some/other/folder
humalign record --show
"""


def configure(parser):
    """Add the options of ``humalign record``."""
    from ..cli import add_profile_options

    add_profile_options(parser)
    parser.add_argument("--out", metavar="DIR", help="folder for the records (default: the package's own)")
    parser.add_argument("--only", metavar="STUDY", help="record one study, for instance slice or levels")
    parser.add_argument("--show", action="store_true", help="say what is recorded, from what and when; compute nothing")


def main(args) -> int:
    """Record, or show what is recorded."""
    from .. import record
    from ..cli import profile_from
    from ..data import registry
    from ..errors import InputError

    if args.show:
        for path in sorted(Path(args.out or record.FOLDER).glob("*.json")):
            if "tables" in (facts := record.read_json(path)):
                print(f"{path.stem}: {facts['date']}, profile {facts['profile']}, {len(facts['tables'])} tables, "
                      f"from {len(facts['inputs'])} inputs")  # fmt: skip
        return 0
    profile = profile_from(args)
    if not (args.profile or os.environ.get("HUMALIGN_PROFILE")):
        profile = profile.with_(name="slice")
    if not args.out and registry.rehearsal(profile.data):
        raise InputError("holds tiny files for rehearsing, not data", profile.data, "name another folder with --out")
    if profile.kind == "drawn":
        from ..chapters import photographs, second_world
        from ..experiments import seeds

        parts = {"seeds": seeds, **{study.name: study for study in (photographs.TABLES, second_world.FIRST)}}
    else:
        from ..chapters import choosers, levels, real_data, real_doubt, real_networks, real_probing, real_teacher
        from ..chapters import representation_comparison as comparison

        studies = (levels.PUBLIC, real_data.TABLES, comparison.PUBLIC, real_teacher.PUBLIC, real_networks.TABLES,
                   real_probing.TABLES, real_doubt.TABLES, choosers.TABLES)  # fmt: skip
        parts = {study.name: study for study in studies}
    if args.only and args.only not in parts:
        raise InputError(f"no study is called '{args.only}'", "--only", f"choose one of {', '.join(parts)}")
    for study in [parts[args.only]] if args.only else parts.values():
        for path in study.record(profile, folder=args.out):
            print(path)
    return 0
