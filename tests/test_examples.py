"""Every command shown in a help text, the README or a page is called as it stands, up to where its work begins.

The work itself is tested elsewhere; here its entrances are stand-ins, so that options, files, names, parameters and
data sets of every example are read and checked. Data of others may be missing; nothing else may be wrong.
"""

import contextlib
import itertools
import json
import re
import shlex
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from test_gallery import card

from humalign import cli
from humalign.errors import HumalignError
from humalign.source import open_source
from humalign.store import save_arrays

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "book").glob("*.md")),
         *sorted((ROOT / "notebooks").glob("*.md"))]  # fmt: skip
WORK = (  # where the work of each command begins
    "humalign.source.open_sources",
    "humalign.probing.cross_validation",
    "humalign.book.run.run_all",
    "humalign.book.tiers._data",
    "humalign.features.extraction.extract",
    "humalign.data.adopt.adopt",
    "humalign.data.fetch.get",
    "humalign.data.row_orders.detect",
    "humalign.data.verify.verify",
    "humalign.world.draw.contact_sheet",
    "humalign.world.folder.write",
    "humalign.world.protocol.drift",
    "humalign.world.train.train",
    "humalign.world.train.train_many",
    "humalign.world.train.train_teacher",
    "humalign.world.train.training_pictures",
    "humalign.world.train.ladder",
    "humalign.alignet.judged.judged",
    "humalign.alignet.pipeline.make_triplets",
    "humalign.alignet.pipeline.train",
    "humalign.alignet.pipeline.evaluate",
    "humalign.alignet.pipeline.load_or_make",
    "humalign.chapters.claims.collect",
)


class Reached(HumalignError):
    """The work began."""


def helps():
    """Help text of every command and of its parts."""
    for name in cli.COMMANDS:
        yield name, help_of(name)
    for part in ("teacher", "sample", "train", "evaluate"):
        yield f"alignet {part}", help_of("alignet", part)


def help_of(*names) -> str:
    import io

    with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.suppress(SystemExit):
        cli.main([*names, "--help"])
    return out.getvalue().partition("example:")[2]


def blocks():
    """(where, text) of all help examples and of all code blocks that are no Python."""
    yield from helps()
    for path in PAGES:
        for block in re.findall(r"^```(?:bash|sh|console)\n(.*?)^```", path.read_text("utf8"), re.M | re.S):
            yield path.name, block


def commands():
    """(where, line) of each shown command, each once."""
    seen = {}
    for where, text in blocks():
        for line in text.replace("\\\n", " ").splitlines():
            line = line.strip().removeprefix("$ ").removeprefix("HUMALIGN_DATA=path/to/data ")
            if re.match(r"(torchrun|python|\.venv/bin/python|humalign)\b", line) and "humalign" in line:
                seen.setdefault(" ".join(line.split()), where)
    return [(where, line) for line, where in seen.items()]


def words(line: str, capsys) -> list[str]:
    """Arguments of a line for ``cli.main``: without comment and what the shell does afterwards."""
    inner = re.search(r"\$\(humalign ([^)]*)\)", line)
    if inner:
        assert cli.main(shlex.split(inner[1])) == 0
        line = line.replace(inner[0], capsys.readouterr().out.strip())
    line = line.replace("$HUMALIGN_DATA", "DATA")
    found = shlex.split(line, comments=True)
    for stop in (">", "&&", "|"):
        found = found[: found.index(stop)] if stop in found else found
    if found[0] != "humalign":  # torchrun ... -m humalign, python -m humalign
        found = found[found.index("-m") + 1 :] if "-m" in found else found
    return found[1:] if found[0] == "humalign" else []


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder with everything that examples name."""
    return make(tmp_path_factory.mktemp("examples"))


def make(root: Path) -> Path:
    """Write everything that examples name."""
    ids = open_source("mini").triplets("things").ids
    rng = np.random.default_rng(0)
    values = rng.normal(size=(len(ids), 4)).astype(np.float32)
    for name in ("features", "my_features"):
        np.savez(root / f"{name}.npz", ids=np.array(ids), features=values)
    for name in ("clip", "resnet50"):
        np.savez(root / f"{name}.npz", ids=np.array([f"p{k}" for k in range(6)]), features=values[:6])
    save_arrays(root / "clip.safetensors", {"features": values}, {"ids": ids})
    np.save(root / "features.npy", values)
    (root / "ids.txt").write_text("\n".join(ids))
    for folder in ("photos", "pictures", "study/pictures", "mine/tools/pictures", "path/to/studies/tools/pictures",
                   "DIR/tools/pictures"):  # fmt: skip
        (root / folder).mkdir(parents=True)
        for k in range(6):
            Image.fromarray(rng.integers(0, 255, (16, 16, 3), np.uint8)).save(root / folder / f"p{k}.png")
    triples = list(itertools.combinations(range(6), 3))
    lines = ["a,b,c,odd", *(f"p{a},p{b},p{c},p{a}" for a, b, c in triples)]
    for name in ("answers.csv", "choices.csv"):
        (root / name).write_text("\n".join(lines) + "\n")
    things = [f"{a},{b},{c},{c}" for a, b, c in rng.choice(ids, (30, 3)) if len({a, b, c}) == 3]
    (root / "choices.csv").write_text("\n".join(["a,b,c,odd", *things]) + "\n")
    for study in ("study", "mine/tools", "path/to/studies/tools", "DIR/tools"):
        shown = [f"p{k},pictures/p{k}.png" for k in range(6)]
        (root / study / "pictures.csv").write_text("\n".join(["id,file", *shown]) + "\n")
        told = [line.rpartition(",")[0].split(",") for line in lines[1:]]
        answers = [f"{b},{c},{a}" for a, b, c in told]
        (root / study / "answers.csv").write_text("\n".join(["first,second,odd", *answers]) + "\n")
    (root / "grid.yml").write_text("seed: [0, 1]\n")
    for name in ("zoo", "mine"):
        (root / f"{name}.json").write_text(json.dumps(card(name, 0.5)))
    held_out = "humalign/recorded/real_alignet_held_out.txt"
    (root / held_out).parent.mkdir(parents=True)
    shutil.copy(ROOT / held_out, root / held_out)
    for folder in ("DATA", "humalign-data", "Downloads", "path/to/data"):
        (root / folder).mkdir(parents=True)
    for folder in ("notebooks", "book"):
        shutil.copytree(ROOT / folder, root / folder, ignore=shutil.ignore_patterns("_build", "notebooks"))
    return root


def test_examples_are_found():
    found = commands()
    assert len(found) > 70
    assert {where for where, _ in found} >= {*cli.COMMANDS, "README.md", "full_profile.md", "your_model.md"}


@pytest.mark.parametrize(("where", "line"), commands(), ids=lambda text: text)
def test_example_reaches_its_work(where, line, made, monkeypatch, capsys):
    import importlib

    monkeypatch.chdir(made)
    monkeypatch.setenv("HOME", str(made))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.delenv("HUMALIGN_DATA", raising=False)
    if where == "full_profile.md":  # its first block sets them
        monkeypatch.setenv("HUMALIGN_DATA", str(made / "humalign-data"))
        monkeypatch.setenv("HUMALIGN_PROFILE", "full")

    def begin(*_, **__):
        raise Reached("the work begins")

    for place in WORK:
        module, _, name = place.rpartition(".")
        monkeypatch.setattr(importlib.import_module(module), name, begin)
    arguments = words(line, capsys)
    if not arguments:
        return
    code = cli.main(arguments)
    told = capsys.readouterr().err
    missing = r"needs a data folder|not on this machine|are not in|is not in|has no public weights|is not trained here"
    missing += r"|lie in the data folder|are not here; point HUMALIGN_DATA|there are no weights of"
    allowed = code == 0 or "the work begins" in told or (code == 2 and re.search(missing, told))
    assert allowed, f"{where}: {line}\n{told}"


def test_shown_make_targets_exist():
    rules = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf8"), re.M))
    for path in PAGES:
        for target in re.findall(r"(?:^|`|\s)make ([a-z-]+)(?=$|`|\s)", "\n".join(code_of(path)), re.M):
            assert target in rules, f"{path.name}: make {target}"


def code_of(path):
    text = path.read_text("utf8")
    blocks = re.findall(r"^```(?:bash|sh|console)\n(.*?)^```", text, re.M | re.S)
    return [*blocks, *re.findall(r"`(make [a-z-]+)`", text)]
