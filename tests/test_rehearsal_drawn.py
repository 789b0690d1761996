"""Pages that show the drawn world, too, in every profile: in the full one they say so and look as they do in mini.

They need what a built book leaves in the cache, else they would fit for minutes; so they run after 'make book'.
"""

import json
import os
from pathlib import Path

import numpy as np
import pytest
from rehearsing import NOTEBOOKS, figures, notes, notice, run

from humalign.book import run as book

ROOT = Path(__file__).resolve().parents[1]
BOOK = ROOT / "book" / "notebooks"
PAGES = ("world", "zoo", "hierarchy", "student", "alignet_data", "teacher", "your_model")

pytestmark = [
    pytest.mark.book,
    pytest.mark.skipif(
        not all((BOOK / f"{name}.ipynb").is_file() for name in PAGES),
        reason="the book is not built; run 'make book' first",
    ),
]


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    import rehearsal

    from humalign.config import default_cache, get_profile
    from humalign.data import registry

    folder = tmp_path_factory.mktemp("drawn")
    root = rehearsal.write(folder / "data")
    cache = default_cache() if os.environ.get("HUMALIGN_CACHE") else ROOT / ".cache"
    ids = np.array(registry.load("things/images", get_profile("full", data=root)).ids)
    features = np.random.default_rng(2).normal(size=(len(ids), 8)).astype(np.float32)
    np.savez(folder / "mine.npz", ids=ids, features=features)  # a card for features of others
    wanted = {"model": str(folder / "mine.npz"), "example_pictures": 1, "example_steps": 2}
    known = book.default_parameters(NOTEBOOKS / "your_model.md")
    return run(PAGES, root, folder, cache=cache, your_model={k: v for k, v in wanted.items() if k in known})


@pytest.mark.parametrize("name", PAGES)
def test_a_drawn_page_says_so_and_shows_what_it_shows_in_mini(done, name):
    built = json.loads((BOOK / f"{name}.ipynb").read_text("utf8"))
    # features of THINGS only: the card has no picture of the agreement with arrangements, and says so
    absent = {"fig-your-model-rsa"} if name == "your_model" else set()
    assert len(notes(done[name])) == len(absent)
    assert figures(done[name]) == figures(built) - absent
    said = notice(done[name])
    assert "Profile full" in said
    assert "as in every profile" in said or name in ("teacher", "your_model", "student", "hierarchy")
    if name in ("student", "hierarchy"):  # no released network has features here
        assert "the page shows students of the drawn world, as recorded" in said
