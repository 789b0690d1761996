"""The documented way from a folder of pictures to a student: its commands stand on the page, its pictures are files."""

from pathlib import Path

import pytest
from PIL import Image

from humalign.errors import HumalignError
from humalign.studies import walk

PAGE = Path(__file__).parents[1] / "notebooks" / "your_model.md"


def test_the_page_shows_the_commands_that_are_walked():
    text = " ".join(PAGE.read_text("utf8").replace("\\\n", " ").split())
    for command in walk.COMMANDS.values():
        assert "humalign " + command.format(student=walk.STUDENT, steps=200) in text


def test_pictures_are_written_for_every_concept(tmp_path):
    n = walk.pictures(tmp_path / "pictures", 1, size=32)
    files = sorted((tmp_path / "pictures").glob("*/*.png"))
    assert n == walk.count(1) == len(files) == len({f.parent for f in files})
    with Image.open(files[0]) as image:
        assert image.size == (32, 32)


def test_what_commands_say_and_how_they_fail(tmp_path):
    table = "dataset measure detail value low high n\nalignet accuracy val, cosine 0.764 0.745 0.783 2000.000"
    assert walk.summary(table) == "accuracy 0.764 [0.745, 0.783] on 2,000 validation triplets"
    assert walk.summary("first\nwork/teacher:  done") == "work/teacher: done"
    with pytest.raises(HumalignError, match="alignet sample"):
        walk.run(["alignet", "sample", "--teacher", str(tmp_path), "--out", str(tmp_path / "out")])
