"""The documented way from a folder of pictures to a student: its commands stand on the page, its pictures are files."""

from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from humalign import cli
from humalign.chapters import your_model
from humalign.errors import HumalignError

PAGE = Path(__file__).parents[1] / "notebooks" / "your_model.md"


def test_the_page_shows_the_commands_that_are_walked():
    text = " ".join(PAGE.read_text("utf8").replace("\\\n", " ").split())
    for command in your_model.COMMANDS.values():
        assert "humalign " + command.format(student=your_model.STUDENT, steps=200) in text


def test_pictures_are_written_for_every_concept(tmp_path):
    n = your_model.pictures(tmp_path / "pictures", 1, size=32)
    files = sorted((tmp_path / "pictures").glob("*/*.png"))
    assert n == your_model.count(1) == len(files) == len({f.parent for f in files})
    with Image.open(files[0]) as image:
        assert image.size == (32, 32)


def test_numbers_of_the_prose():
    found = your_model.numbers(pd.DataFrame({"cpu_seconds": [1.5, 2.0]}), 1, 60)
    assert found["ym_pictures"].value == your_model.count(1)
    assert (found["ym_steps"].value, found["ym_seconds"].value) == (60, 3.5)


def test_what_commands_say_and_how_they_fail(tmp_path):
    table = "dataset measure detail value low high n\nalignet accuracy val, cosine 0.764 0.745 0.783 2000.000"
    assert your_model.summary(table) == "accuracy 0.764 [0.745, 0.783] on 2,000 validation triplets"
    assert your_model.summary("first\nwork/teacher:  done") == "work/teacher: done"
    with pytest.raises(HumalignError, match="alignet sample"):
        your_model.run(cli.main, ["alignet", "sample", "--teacher", str(tmp_path), "--out", str(tmp_path / "out")])
