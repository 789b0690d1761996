"""Make the odd-one-out game from pictures and people's answers: a page that works offline, in any browser.

FOLDER holds pictures (their names without suffix are their ids) or a study in the plain layout (pictures.csv and
answers.csv). Answers come from --triplets: CSV with columns a, b, c (three pictures by name) and odd (the one chosen;
leave it empty to ask questions that nobody has answered), optional person and model. Networks come from features
files with ids, or from such a CSV with a column model. Players can save their answers in the same form. Open the page
as .../index.html?person=17 to have a name in that file.
"""

from __future__ import annotations

EXAMPLE = """
humalign play photos/ --triplets answers.csv --networks clip.npz resnet50.npz --out game/
humalign play study/ --rounds 20 --games 1 --seed 3 --embed
"""


def configure(parser) -> None:
    """Options of ``humalign play``."""
    from ..cli import SEED, number

    parser.add_argument("folder", metavar="FOLDER", help="folder with pictures, or a study with pictures.csv")
    parser.add_argument("--triplets", metavar="FILE", help="CSV of answers (default: FOLDER/answers.csv)")
    parser.add_argument("--networks", nargs="+", default=[], metavar="FILE", help="features files, or CSV of choices")
    parser.add_argument("--out", default="play", metavar="DIR", help="folder for the page (default: play)")
    parser.add_argument(
        "--rounds", type=number(1, 1000), default=10, metavar="N", help="rounds of a game (default: 10)"
    )
    parser.add_argument(
        "--games", type=number(1, 1000), default=5, metavar="N", help="games that the page holds (default: 5)"
    )
    parser.add_argument("--seed", type=SEED, default=0, help="of the choice of rounds (default: 0)")
    parser.add_argument("--embed", action="store_true", help="pictures inside the page, one file (at most 8 MB)")
    parser.add_argument("--title", default="Odd one out", help="heading of the page")


def main(args) -> int:
    """Make the page, then say where it is."""
    from pathlib import Path

    from .. import play
    from ..errors import InputError

    folder = Path(args.folder).expanduser()
    pictures = play.read_pictures(folder)
    triplets = Path(args.triplets) if args.triplets else folder / "answers.csv"
    if not args.triplets and not triplets.is_file():
        raise InputError("has no answers.csv", folder, f"give --triplets FILE: CSV with {play.LIKE}")
    answers = play.read_answers(triplets, pictures.ids)
    answers = play.with_networks(answers, play.read_networks(args.networks, pictures.ids), pictures.ids)
    game = play.make(pictures, answers, rounds=args.rounds, games=args.games, seed=args.seed)
    page = play.write(game, args.out, args.title, args.embed)
    data, asked = game.data, answers.counts.sum(1) > 0
    print(f"{len(answers.questions)} questions, {int(answers.counts.sum())} answers of people to {int(asked.sum())}")
    print(f"{len(data['rounds'])} rounds of {', '.join(['people', *data['networks']])}")
    print(page)
    return 0
