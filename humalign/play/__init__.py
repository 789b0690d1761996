"""The odd-one-out task as a page: any pictures, people's answers to triplets of them, networks' answers beside them.

:func:`make` chooses the rounds and counts the answers, :func:`write` makes a folder with one HTML page and thumbnails,
:func:`fragment` the same game as a part of another page. The page loads nothing from anywhere and works when it is
opened as a file; without JavaScript it shows one round with its answers.
"""

from __future__ import annotations

import base64
import csv
import html
import io
import json
import string
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path

import numpy as np

from .. import odd_one_out
from ..data import features_file, files, plain
from ..data.ids import positions
from ..data.types import Features, Stimuli, Triplets
from ..errors import InputError
from ..features.images import from_folder
from ..similarity import similarity_matrix
from ..store import atomic_path, write_text

SIDE = 256  # pixels: the longer side of a thumbnail
EMBED = 8_000_000  # bytes: pictures that a page may hold itself
NAMES = (("a", "b", "c"), ("first", "second", "odd"))  # columns of a triplet file; the second as in the plain layout
UNDECIDED, UNKNOWN = -1, -2  # a network whose three similarities are equal; one that was not asked
LIKE = "columns a, b, c (names of pictures), odd (the name chosen; empty: not asked yet), optional person, model"


@dataclass(frozen=True)
class Answers:
    """Questions and who answered what.

    Attributes
    ----------
    questions : int array (q, 3)
        Different pictures by number, in rising order; every question once.
    counts : int array (q, 3)
        How many people picked each as the odd one out; zeros for a question that nobody was asked.
    choices : dict of str to int array (q,)
        What each network picked: position 0, 1, 2; -1 undecided, -2 not asked.
    """

    questions: np.ndarray
    counts: np.ndarray
    choices: dict[str, np.ndarray]


@dataclass(frozen=True)
class Game:
    """What a page needs: ``data`` (becomes JSON) and ``thumbnails`` (WebP), one for each of ``data["pictures"]``."""

    data: dict
    thumbnails: tuple[bytes, ...]
    about: str = ""


# ---- files ----------------------------------------------------------------------------------------------------------


def read_pictures(folder) -> Stimuli:
    """Pictures of a study with ``pictures.csv`` (id, file, optional concept), else all images below a folder.

    Concepts are what the page calls the pictures; without them the last part of the id, with blanks for underscores.
    """
    folder = Path(folder)
    if not (folder / "pictures.csv").is_file():
        found = from_folder(folder)
        return replace(found, concepts=tuple(name.rpartition("/")[2].replace("_", " ") for name in found.ids))
    return replace(plain.read_pictures(folder), name=folder.name)


def read_networks(paths, ids) -> dict:
    """Networks for :func:`with_networks`, from features files with ids, or CSV of choices with a column ``model``."""
    found: dict = {}
    for path in map(Path, paths):
        if path.suffix == ".csv":
            answers = read_answers(path, ids)
            new = dict.fromkeys(answers.choices, answers)
            if not new:
                raise InputError("names no network", path, "add a column called model")
        else:
            features = features_file.read(path)
            new = {features.model: features}
        if twice := sorted(set(new) & set(found)):
            raise InputError(f"'{twice[0]}' is the name of another network, too", path, "rename the file or the model")
        found |= new
    return found


# ---- answers ---------------------------------------------------------------------------------------------------------


def count(shown, odd) -> tuple[np.ndarray, np.ndarray]:
    """Count answers to the same three pictures, shown in any order.

    Parameters
    ----------
    shown : int array (n, 3)
        Pictures by number.
    odd : int array (n,)
        Number of the picture that was picked; -1 where nobody answered.

    Returns
    -------
    questions, counts : int arrays (q, 3)
        As in :class:`Answers`.
    """
    questions, row = np.unique(np.sort(shown, 1), axis=0, return_inverse=True)
    counts, row = np.zeros(questions.shape, np.int64), row.ravel()
    picked = questions[row] == np.asarray(odd)[:, None]
    np.add.at(counts, (row[picked.any(1)], picked.argmax(1)[picked.any(1)]), 1)
    return questions, counts


def of_triplets(*sets: Triplets, ids) -> Answers:
    """People's answers among the pictures ``ids`` (others are left out), of one or more data sets together."""
    rows = np.concatenate([one.restrict(ids).triplets for one in sets])
    return Answers(*count(rows, rows[:, 2]), {})


def read_answers(path, ids) -> Answers:
    """Questions and answers from CSV: one line an answer, pictures by name.

    Lines with a name in the column ``model`` are answers of that network, all others of people. The columns of the
    plain layout (first, second, odd) are understood, too.

    Raises
    ------
    MissingData, InputError
        For a file that is not there or not such a table; names that are no pictures; a picture named twice in a line.
    """
    table = list(csv.reader(io.StringIO(files.read_text(path), newline="")))
    head = [name.strip() for name in table[0]] if table else []
    columns = next((names for names in NAMES if set(names) <= set(head)), None)
    if columns is None:
        told = ", ".join(name for name in NAMES[0] if name not in head)
        raise InputError(f"has no column called {told} (it has {', '.join(head[:8]) or 'none'})", path, LIKE)
    place, models, shown, odd = {name: row for row, name in enumerate(ids)}, [], [], []
    for number, cells in enumerate(table[1:], 2):
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) != len(head):
            raise InputError(f"line {number} has {len(cells)} cells for {len(head)} columns", path, LIKE)
        line = {name: cell.strip() for name, cell in zip(head, cells)}
        names, pick = [line[column] for column in columns], line.get("odd", "")
        if strange := [name for name in names if name not in place]:
            near = ", ".join(list(place)[:3])
            raise InputError(f"line {number}: '{strange[0]}' is no picture", path, f"pictures are called {near} ...")
        if len(set(names)) < 3:
            raise InputError(f"line {number} names '{max(names, key=names.count)}' twice", path, "give three pictures")
        if pick and pick not in names:
            raise InputError(f"line {number}: odd '{pick}' is none of the three", path, "repeat one of the three names")
        shown.append([place[name] for name in names])
        odd.append(place[pick] if pick else -1)
        models.append(line.get("model", ""))
    if not shown:
        raise InputError("has a header and no lines", path, LIKE)
    shown, odd, models = np.array(shown), np.array(odd), np.array(models)
    questions, counts = count(shown, np.where(models == "", odd, -1))
    choices = {}
    for model in dict.fromkeys(models[models != ""].tolist()):
        its, found = count(shown[models == model], odd[models == model])
        choices[model] = _look_up(questions, its, found)
    return Answers(questions, counts, choices)


def _look_up(questions, others, counts) -> np.ndarray:
    """The most frequent answer (q,) to each question among ``others``; -2 where it is not there or was not answered."""
    known = {tuple(other): int(found.argmax()) for other, found in zip(others.tolist(), counts) if found.any()}
    return np.array([known.get(tuple(question), UNKNOWN) for question in questions.tolist()], int)


def with_networks(answers: Answers, networks: dict, ids) -> Answers:
    """Add networks to answers.

    Parameters
    ----------
    answers : Answers
    networks : dict
        Name to its Features (cosine similarity decides; pictures meet by name), or to Answers that hold its choices.
    ids : sequence of str
        The pictures that the questions number.

    Raises
    ------
    InputError
        When a network knows none of the questions.
    """
    choices = dict(answers.choices)
    for name, known in networks.items():
        if isinstance(known, Answers):
            found = np.full(len(answers.questions), UNKNOWN)
            own = known.choices.get(name)
            if own is not None:
                table = {tuple(q): int(pick) for q, pick in zip(known.questions.tolist(), own)}
                found = np.array([table.get(tuple(q), UNKNOWN) for q in answers.questions.tolist()], int)
        else:
            found = _decide(answers.questions, known, ids)
        if (found == UNKNOWN).all():
            raise InputError("knows none of the questions", name, "names of pictures must be the same in all files")
        choices[name] = found
    return Answers(answers.questions, answers.counts, choices)


def _decide(questions, features: Features, ids) -> np.ndarray:
    """Which of the three a network picks, from the cosine similarity of its features."""
    own = set(features.ids)
    used = [name for name in ids if name in own]
    found = np.full(len(questions), UNKNOWN)
    if not used:
        return found
    row = np.full(len(ids), -1)
    row[[name in own for name in ids]] = np.arange(len(used))
    known = (row[questions] >= 0).all(1)
    values = np.asarray(features.values, np.float64)[positions(features.ids, used, features.name)]
    found[known] = odd_one_out.choices(similarity_matrix(values), row[questions[known]])
    return found


# ---- the game --------------------------------------------------------------------------------------------------------


def make(pictures: Stimuli, answers: Answers, *, labels=None, rounds: int = 10, games: int = 5, seed: int = 0,
         who=("person", "people"), about: str = "") -> Game:  # fmt: skip
    """Choose rounds, count answers, shrink pictures.

    Parameters
    ----------
    pictures : Stimuli
        With pixels or paths.
    answers : Answers
        By number of the pictures. Only questions that every network answered take part.
    labels : sequence of str, optional
        What the pictures show, in words; default the concepts.
    rounds, games : int
        Rounds of a game; games that the page holds, fewer where there are not enough questions.
    seed : int
        Of the order of rounds and of the places of the pictures. Questions with more answers come first.
    who : (str, str)
        Who answered, one and several.
    about : str
        HTML, shown below the game: where pictures and answers come from.

    Raises
    ------
    InputError
        For fewer questions than rounds, or pictures that cannot be read.
    """
    if rounds < 1 or games < 1:
        raise InputError("must be 1 or more", "rounds and games", "ask for at least one")
    keep = np.ones(len(answers.questions), bool)
    for picks in answers.choices.values():
        keep &= picks != UNKNOWN
    questions, counts = answers.questions[keep], answers.counts[keep]
    choices = {name: picks[keep] for name, picks in answers.choices.items()}
    if len(questions) < rounds:
        all_of = " that every network answered" if not keep.all() else ""
        told = f"there are {len(questions)} questions{all_of} for {rounds} rounds"
        raise InputError(told, pictures.name, "give more triplets, or ask for fewer rounds")
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(questions))
    order = order[np.argsort(-counts[order].sum(1), kind="stable")]
    games = min(games, len(order) // rounds)
    made = []
    for row in order[: games * rounds]:
        places = rng.permutation(3)
        seen = {int(place): k for k, place in enumerate(places)} | {UNDECIDED: UNDECIDED}
        picks = [seen[int(picks[row])] for picks in choices.values()]
        made.append({"p": questions[row, places].tolist(), "n": counts[row, places].tolist(), "net": picks})
    used = sorted({picture for one in made for picture in one["p"]})
    short = {picture: number for number, picture in enumerate(used)}
    labels = pictures.concepts if labels is None else labels
    data = {
        "pictures": [{"id": pictures.ids[k], "label": str(labels[k])} for k in used],
        "rounds": [{**one, "p": [short[picture] for picture in one["p"]]} for one in made],
        "length": rounds,
        "who": list(who),
        "networks": list(choices),
        "all": overall(counts, choices),
    }
    return Game(data, tuple(thumbnail(pictures.images[k]) for k in used), about)


def overall(counts, choices) -> dict:
    """How many questions people answered and, for each network, the mean share of people who agree with it.

    An undecided network gets a third of all, as somebody who guesses.
    """
    asked = counts.sum(1) > 0
    if not asked.any():
        return {"questions": 0, "answers": 0, "share": [None for _ in choices]}
    share = np.column_stack([counts[asked] / counts[asked].sum(1, keepdims=True), np.full(asked.sum(), 1 / 3)])
    rows = np.arange(len(share))  # the last column answers for -1, undecided
    agree = [round(float(share[rows, picks[asked]].mean()), 4) for picks in choices.values()]
    return {"questions": int(asked.sum()), "answers": int(counts.sum()), "share": agree}


def thumbnail(image) -> bytes:
    """A picture (path, or uint8 pixels) as WebP, at most 256 pixels wide and high, without metadata."""
    from PIL import Image, ImageOps

    try:
        opened = Image.fromarray(image) if isinstance(image, np.ndarray) else Image.open(image)
        with opened:
            small = ImageOps.exif_transpose(opened)
            small.thumbnail((SIDE, SIDE))
            small = small.convert("RGBA" if "A" in small.getbands() or "transparency" in small.info else "RGB")
            out = io.BytesIO()
            small.save(out, "WEBP", quality=82)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise InputError(f"cannot be read as an image ({error})", image, "repair it or take it out") from None
    return out.getvalue()


# ---- the page --------------------------------------------------------------------------------------------------------


def _part(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text("utf8")


def fragment(game: Game, sources) -> str:
    """The game as HTML for the body of a page: style, one round as it looks without JavaScript, data, script.

    Parameters
    ----------
    game : Game
    sources : sequence of str
        Address of each thumbnail, as the page sees it.
    """
    pictures = [{**one, "src": src} for one, src in zip(game.data["pictures"], sources, strict=True)]
    data = json.dumps({**game.data, "pictures": pictures}, ensure_ascii=False, separators=(",", ":"))
    return string.Template(_part("fragment.html")).substitute(
        style=_part("play.css"),
        still=_still(game.data, pictures),
        about=game.about,
        data=data.replace("<", "\\u003c"),  # nothing in it can end the script
        script=_part("play.js"),
    )


def _still(data: dict, pictures: list) -> str:
    """The first round with its answers, for readers without JavaScript."""
    one, asked = data["rounds"][0], sum(data["rounds"][0]["n"])
    cells = []
    for place, (picture, n) in enumerate(zip(one["p"], one["n"])):
        src, label = (html.escape(pictures[picture][key], quote=True) for key in ("src", "label"))
        picked = [html.escape(name) for name, pick in zip(data["networks"], one["net"]) if pick == place]
        share = f"<br>{n} of {asked}" if asked else ""
        nets = "".join(f'<span class="ha-play-chip">{name}</span>' for name in picked)
        cells.append(
            f'<div class="ha-play-item"><img class="ha-play-picture" src="{src}" alt="{label}" width="{SIDE}" '
            f'height="{SIDE}"><div class="ha-play-result"><b>{label}</b>{share}{nets}</div></div>'
        )
    told = f"What {asked} {html.escape(data['who'][asked != 1])} picked" if asked else "Nobody was asked this yet"
    told += ", and what networks picked" if data["networks"] else ""
    return (
        f'<p class="ha-play-question">Which one is the odd one out?</p><div class="ha-play-row">{"".join(cells)}</div>'
        f"<p>{told}. With JavaScript this is a game of {data['length']} rounds.</p>"
    )


def write(game: Game, out, title: str = "Odd one out", embed: bool = False) -> Path:
    """A folder with ``index.html`` and, unless the page is to hold them itself, thumbnails in ``pictures/``.

    Parameters
    ----------
    game : Game
    out : path
        The folder.
    title : str
    embed : bool
        Pictures as data URIs inside the page: one file to send around, at most 8 MB of pictures.

    Raises
    ------
    InputError
        When the pictures are too large to be embedded.
    """
    out = Path(out)
    if embed:
        if (size := sum(map(len, game.thumbnails))) > EMBED:
            told = f"pictures take {size / 1e6:.1f} MB, a page holds {EMBED / 1e6:.0f}"
            raise InputError(told, out, "ask for fewer games, or leave the pictures beside the page")
        sources = [f"data:image/webp;base64,{base64.b64encode(one).decode()}" for one in game.thumbnails]
    else:
        sources = write_thumbnails(game, out / "pictures", "pictures/")
    page = string.Template(_part("page.html"))
    game_html = fragment(game, sources)
    return write_text(out / "index.html", page.substitute(title=html.escape(title), game=game_html))


def write_thumbnails(game: Game, folder, prefix: str = "") -> list[str]:
    """Write the thumbnails into a folder, under numbers, since ids may be no names of files; gives their addresses."""
    names = [f"{number:03d}.webp" for number in range(len(game.thumbnails))]
    for name, content in zip(names, game.thumbnails):
        with atomic_path(Path(folder) / name) as partial:
            partial.write_bytes(content)
    return [prefix + name for name in names]
