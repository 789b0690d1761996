"""The way from a folder of pictures to an aligned student, by the commands that a reader would type."""

from __future__ import annotations

import contextlib
import io
import re
import tempfile
import time
from pathlib import Path

import pandas as pd

from .. import show
from ..errors import HumalignError
from ..probing.fitting import one_thread
from ..source import Source

ROLES, OPTIONAL = (), ()
STUDENT = "mini:softmax-resnet-m"
COMMANDS = {  # what the step is for: the command, as it stands on the page
    "teacher": "alignet teacher --network mini:teacher-web --out work/teacher",
    "triplets": "alignet sample --teacher work/teacher --images pictures -n 20000 --validation 2000 --clusters 40 "
    "--out work/alignet",
    "student": "alignet train --student {student} --images pictures --triplets work/alignet --preset mini "
    "--set steps={steps} batch=64 --out work/student",
    "before": "alignet evaluate {student} --images pictures --triplets work/alignet",
    "after": "alignet evaluate work/student --images pictures --triplets work/alignet",
}


def count(n: int) -> int:
    """How many pictures :func:`pictures` draws for a wish of ``n``: equally many of every concept."""
    return len(_chosen(n))


def _chosen(n: int) -> list[str]:
    from ..world.stimuli import COUNTS, split_ids

    ids = split_ids("train")
    each = max(1, n // (len(ids) // COUNTS["train"]))
    return [name for name in ids if int(name.rpartition("train")[2]) < each]


def pictures(folder, n: int, size: int = 64) -> int:
    """Write drawn train pictures as PNG files, a folder a concept; how many there are.

    Parameters
    ----------
    folder : path
    n : int
        About how many; spread over all concepts.
    size : int
        Pixels.
    """
    from PIL import Image

    from ..world.stimuli import draw_ids

    chosen = _chosen(n)
    for name, pixels in zip(chosen, draw_ids(chosen, size, workers=1, progress=False)[0]):
        path = Path(folder) / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(path)
    return len(chosen)


def from_folder_to_student(source: Source, humalign, n: int = 480, steps: int = 60) -> pd.DataFrame:
    """Draw a folder of pictures and run the five commands on it, in this process.

    Parameters
    ----------
    source : Source
        Of the drawn world; names the cache.
    humalign : callable
        The command line: words to exit code (``humalign.cli.main``).
    n, steps : int
        Pictures and training steps.

    Returns
    -------
    DataFrame
        step, command, cpu_seconds (torch on one thread), result (see :func:`summary`).

    Raises
    ------
    HumalignError
        When a command fails.
    """
    rows = []
    with tempfile.TemporaryDirectory() as folder, one_thread():
        root = Path(folder)
        pictures(root / "pictures", n)
        for step, text in COMMANDS.items():
            command = text.format(student=STUDENT, steps=steps)
            words = [re.sub(r"^(work|pictures)", rf"{root}/\1", w) for w in command.split()]
            words += ["--profile", "mini", "--cache", str(source.profile.cache)]
            begun, said = time.process_time(), run(humalign, words)
            rows.append({"step": step, "command": f"humalign {command}", "cpu_seconds": time.process_time() - begun,
                         "result": summary(said).replace(f"{root}/", "")})  # fmt: skip
    return pd.DataFrame(rows)


def numbers(table: pd.DataFrame, n: int, steps: int) -> dict:
    """Numbers of the prose, by key: pictures drawn, training steps, seconds of processor time.

    Parameters
    ----------
    table : DataFrame
        Of :func:`from_folder_to_student`, with the same ``n`` and ``steps``.
    n, steps : int
    """
    return {
        "ym_pictures": show.number(count(n)),
        "ym_steps": show.number(steps),
        "ym_seconds": show.number(float(table["cpu_seconds"].sum()), digits=0, unit=" s"),
    }


def run(humalign, words) -> str:
    """Run one command line in this process; what it prints.

    Parameters
    ----------
    humalign : callable
        As in :func:`from_folder_to_student`.
    words : sequence of str

    Raises
    ------
    HumalignError
        When it ends with another code than 0.
    """
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = humalign(list(words))
    if code:
        raise HumalignError(f"'humalign {' '.join(words[:2])}' failed: {err.getvalue().strip().splitlines()[-1]}")
    return out.getvalue()


def summary(said: str) -> str:
    """The last line of what a command printed; of a measurement the accuracy by cosine similarity."""
    lines = [" ".join(line.split()) for line in said.strip().splitlines()]
    found = [line for line in lines if "cosine" in line]
    if not found:
        return lines[-1]
    value, low, high, n = found[-1].split()[-4:]
    return f"accuracy {value} [{low}, {high}] on {float(n):,.0f} validation triplets"
