"""The odd-one-out game: rounds, counts, escaping, bad input, and a game played in a browser with the network cut."""

import csv
import itertools
import json
import os
import re
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from browsing import opened
from PIL import Image

from humalign import cli, play
from humalign.data.types import Features, Stimuli, Triplets
from humalign.errors import InputError

IDS = ("dog", "cat", 'comma, quote "x"', "</script><script>alert(1)</script>", "<b>&amp;'", "owl")
DATA = os.environ.get("HUMALIGN_DATA")


def pictures():
    pixels = np.zeros((6, 40, 40, 3), np.uint8) + np.arange(0, 240, 40, dtype=np.uint8)[:, None, None, None]
    return Stimuli(IDS, "made up", "none", pixels, name="six pictures")


def answers():
    """Nineteen questions: to the k-th there are k answers with its first picture odd and k // 2 with its second."""
    rows = [
        [*(t for t in trio if t != odd), odd]
        for k, trio in enumerate(itertools.combinations(range(6), 3))
        for odd in ([trio[0]] * k + [trio[1]] * (k // 2))
    ]
    return play.of_triplets(Triplets(IDS, np.array(rows), "made up", "none"), ids=IDS)


def networks():
    line = Features(IDS[::-1], np.eye(6), "equal", "x", "made up", "none")
    groups = np.array([[1.0, 0, 0], [1, 0, 0.1], [0, 1, 0.2], [0, 1, 0.3], [0, 0, 1], [0.3, 0, 1]])
    return {"equal": line, "groups": Features(IDS, groups, "groups", "x", "made up", "none")}


def game(**more):
    more = {"rounds": 3, "games": 2, **more}
    return play.make(pictures(), play.with_networks(answers(), networks(), IDS), **more)


def embedded(page):
    return json.loads(re.search(r'<script type="application/json">(.*?)</script>', page, re.S)[1])


# ---- counting --------------------------------------------------------------------------------------------------------


def test_answers_are_counted_whatever_the_order_of_the_pictures():
    shown = np.array([[2, 0, 1], [0, 1, 2], [1, 0, 2], [3, 1, 2]])
    questions, counts = play.count(shown, np.array([0, 2, 0, -1]))
    assert questions.tolist() == [[0, 1, 2], [1, 2, 3]]
    assert counts.tolist() == [[2, 0, 1], [0, 0, 0]]


def test_networks_pick_by_name_and_say_when_they_cannot():
    found = play.with_networks(answers(), networks(), IDS)
    assert set(found.choices["equal"].tolist()) == {play.UNDECIDED}
    row = found.questions.tolist().index([0, 1, 4])
    assert found.questions[row, found.choices["groups"][row]] == 4
    some = networks()["groups"].align(IDS[:4])
    partly = play.with_networks(answers(), {"some": some}, IDS)
    assert ((partly.choices["some"] == play.UNKNOWN) == (partly.questions > 3).any(1)).all()


def test_overall_agreement_is_the_share_of_people_and_a_third_when_undecided():
    counts = np.array([[3, 1, 0], [0, 0, 2], [0, 0, 0]])
    told = play.overall(counts, {"a": np.array([0, 1, 2]), "b": np.array([-1, 2, 0])})
    assert told == {"questions": 2, "answers": 6, "share": [0.375, round((1 / 3 + 1) / 2, 4)]}


# ---- rounds ----------------------------------------------------------------------------------------------------------


def test_rounds_are_those_of_the_seed_with_most_answers_first_and_none_twice():
    data = game(seed=4).data
    assert data == game(seed=4).data
    assert data != game(seed=5).data
    assert len(data["rounds"]) == 6
    assert len({frozenset(one["p"]) for one in data["rounds"]}) == 6
    asked = [sum(one["n"]) for one in data["rounds"]]
    assert asked == sorted((k + k // 2 for k in range(20)), reverse=True)[:6]


def test_counts_and_choices_follow_the_pictures_to_their_places():
    whole, data = play.with_networks(answers(), networks(), IDS), game(seed=1).data
    for one in data["rounds"]:
        shown = [IDS.index(data["pictures"][k]["id"]) for k in one["p"]]
        row = whole.questions.tolist().index(sorted(shown))
        assert dict(zip(shown, one["n"])) == dict(zip(whole.questions[row].tolist(), whole.counts[row].tolist()))
        assert one["net"][0] == play.UNDECIDED
        assert shown[one["net"][1]] == whole.questions[row, whole.choices["groups"][row]]


def test_a_page_holds_as_many_games_as_there_are_questions():
    assert len(game(rounds=7, games=9).data["rounds"]) == 14
    with pytest.raises(InputError, match="19 questions for 21 rounds"):
        play.make(pictures(), play.with_networks(answers(), {}, IDS), rounds=21)


# ---- the page --------------------------------------------------------------------------------------------------------


def test_page_is_complete_and_names_stay_text(tmp_path):
    path = play.write(game(), tmp_path, title='<i>"Mine" & yours')
    page = path.read_text("utf8")
    assert "alert(1)</script>" not in page
    assert page.count("</script>") == 2
    assert "<b>&" not in page.replace("<b>&lt;", "")
    assert "<title>&lt;i&gt;&quot;Mine&quot; &amp; yours</title>" in page
    data = embedded(page)
    assert {one["id"] for one in data["pictures"]} <= set(IDS)
    for one in data["pictures"]:
        with Image.open(tmp_path / one["src"]) as image:
            assert image.format == "WEBP"
            assert max(image.size) <= play.SIDE


def test_page_names_no_other_host_and_loads_nothing(tmp_path):
    page = play.write(game(), tmp_path).read_text("utf8")
    assert re.findall(r"(?:https?:)?//[\w.-]+\.\w+", page.replace("// ", "")) == []
    assert not re.search(r"\bfetch\(|XMLHttpRequest|@import|url\(|<link rel=\"stylesheet", page)


def test_embedded_pictures_and_their_limit(tmp_path, monkeypatch):
    page = play.write(game(), tmp_path, embed=True).read_text("utf8")
    assert all(one["src"].startswith("data:image/webp;base64,") for one in embedded(page)["pictures"])
    assert not (tmp_path / "pictures").exists()
    monkeypatch.setattr(play, "EMBED", 10)
    with pytest.raises(InputError, match="a page holds"):
        play.write(game(), tmp_path, embed=True)


def test_without_javascript_the_first_round_is_shown_with_its_answers(tmp_path):
    page = play.write(game(), tmp_path).read_text("utf8")
    still = page[page.index('<div class="ha-play-stage">') : page.index('<script type="application/json">')]
    first = embedded(page)["rounds"][0]
    assert still.count("<img ") == 3
    assert all(f"{n} of {sum(first['n'])}" in still for n in first["n"])


def test_script_and_style_can_stand_inside_a_page():
    for name in ("play.js", "play.css"):
        assert "</" not in (Path(play.__file__).with_name(name)).read_text("utf8")


# ---- the command -----------------------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "photos").mkdir()
    for k, name in enumerate(("red_fox", "001", "NA", "owl")):
        Image.new("RGB", (300, 200), (60 * k, 90, 200)).save(tmp_path / "photos" / f"{name}.png")
    people = "red_fox,001,NA,NA,p1,\n001,NA,red_fox,001,p2,\nowl,001,NA,,,\n"
    network = "owl,NA,001,owl,,net\nred_fox,NA,001,NA,,net\n"
    (tmp_path / "answers.csv").write_text(f"a,b,c,odd,person,model\n{people}{network}", "utf8")
    return tmp_path


def run(folder, *more):
    return cli.main(["play", str(folder / "photos"), "--out", str(folder / "out"), "--rounds", "2", *map(str, more)])


def test_command_makes_a_page_from_a_folder_and_a_table(folder, capsys):
    assert run(folder, "--triplets", folder / "answers.csv") == 0
    assert "2 questions, 2 answers of people to 1" in capsys.readouterr().out
    data = embedded((folder / "out" / "index.html").read_text("utf8"))
    assert data["networks"] == ["net"]
    first, second = data["rounds"]
    assert sorted(first["n"]) == [0, 1, 1]
    assert second["n"] == [0, 0, 0]
    assert data["pictures"][second["p"][second["net"][0]]] | {"src": ""} == {"id": "owl", "label": "owl", "src": ""}
    assert {one["label"] for one in data["pictures"]} == {"red fox", "001", "NA", "owl"}


def test_command_reads_a_study_in_the_plain_layout(folder):
    (folder / "photos" / "pictures.csv").write_text("id,file,concept\nx1,owl.png,owl\nx2,001.png,one\nx3,NA.png,two\n")
    (folder / "photos" / "answers.csv").write_text("first,second,odd\nx1,x2,x3\nx3,x2,x1\n")
    assert run(folder, "--rounds", 1, "--embed") == 0
    data = embedded((folder / "out" / "index.html").read_text("utf8"))
    assert [one["label"] for one in data["pictures"]] == ["owl", "one", "two"]
    assert sorted(data["rounds"][0]["n"]) == [0, 1, 1]


@pytest.mark.parametrize(
    ("table", "told"),
    [
        ("x,y\n1,2\n", "has no column called a, b, c"),
        ("a,b,c,odd\n", "has a header and no lines"),
        ("a,b,c,odd\nowl,001,dog,dog\n", "line 2: 'dog' is no picture; pictures are called 001, NA, owl"),
        ("a,b,c,odd\nowl,001,owl,owl\n", "line 2 names 'owl' twice"),
        ("a,b,c,odd\nowl,001,NA,red_fox\n", "line 2: odd 'red_fox' is none of the three"),
        ("a,b,c,odd\nowl,001,NA\n", "line 2 has 3 cells for 4 columns"),
        ("a,b,c,odd\nowl,001,NA,owl\n", "there are 1 questions for 2 rounds"),
    ],
)
def test_bad_tables_are_told_in_one_line(folder, capsys, table, told):
    (folder / "bad.csv").write_text(table, "utf8")
    assert run(folder, "--triplets", folder / "bad.csv") == 2
    said = capsys.readouterr().err
    assert told in said
    assert said.count("\n") == 1


def test_other_bad_input_is_told_in_one_line(folder, capsys):
    assert run(folder) == 2
    assert "has no answers.csv; give --triplets FILE" in capsys.readouterr().err
    assert run(folder, "--triplets", folder / "none.csv") == 2
    (folder / "net.csv").write_text("a,b,c,odd\nowl,001,NA,owl\n")
    table = ["--triplets", folder / "answers.csv"]
    assert run(folder, *table, "--networks", folder / "net.csv") == 2
    assert "names no network" in capsys.readouterr().err
    np.savez(folder / "other.npz", features=np.eye(2), ids=np.array(["x", "y"]))
    assert run(folder, *table, "--networks", folder / "other.npz") == 2
    assert "knows none of the questions" in capsys.readouterr().err
    (folder / "photos" / "owl.png").write_text("no picture")
    assert run(folder, *table) == 2
    assert "owl.png: cannot be read as an image" in capsys.readouterr().err
    assert run(folder, *table, "--games", 0) == 2


# ---- the first page of the book --------------------------------------------------------------------------------------


def test_first_page_says_that_observers_are_simulated(tmp_path, monkeypatch):
    from humalign.config import get_profile
    from humalign.play import book

    monkeypatch.setattr("humalign.source.Source.features", lambda *a, **k: iter(()))  # about words and answers alone
    made = book.front_page(get_profile("mini", cache=tmp_path).with_(data=None))
    assert made.about.startswith("Simulated observers")
    assert made.data["who"] == ["simulated observer", "simulated observers"]
    assert made.data["all"] | {"share": []} == {"questions": 1000, "answers": 36000, "share": []}
    assert {sum(one["n"]) for one in made.data["rounds"]} == {36}
    monkeypatch.setattr(book, "_of_drawings", pytest.fail)  # the second build of the book makes nothing again
    again = book.front_page(get_profile("mini", cache=tmp_path).with_(data=None))
    assert again == made
    assert len(again.thumbnails) == len(again.data["pictures"])


def test_directive_shows_the_game(tmp_path, monkeypatch):
    from sphinx.application import Sphinx

    from humalign.book.sphinx import changed_games
    from humalign.play import book

    monkeypatch.setattr(book, "front_page", game)
    monkeypatch.setattr(book, "made_from", lambda: "as before")
    (tmp_path / "conf.py").write_text(
        "extensions = ['myst_parser']\nhtml_theme = 'basic'\n\n\ndef setup(app):\n"
        "    from humalign.book.sphinx import Play\n"
        "    app.add_directive('humalign-play', Play)\n"
    )
    (tmp_path / "index.md").write_text("# Play\n\n```{humalign-play}\n```\n")
    app = Sphinx(tmp_path, tmp_path, tmp_path / "out", tmp_path / "tree", "html", status=None, warning=sys.stderr)
    app.build()
    page = (tmp_path / "out" / "index.html").read_text("utf8")
    assert all((tmp_path / "out" / one["src"]).is_file() for one in embedded(page)["pictures"])
    assert changed_games(app, app.env, (), (), ()) == []  # the next build leaves the page as it is
    monkeypatch.setattr(book, "made_from", lambda: "data arrived")
    assert changed_games(app, app.env, (), (), ()) == ["index"]
    monkeypatch.setattr(book, "made_from", lambda: "as before")
    shutil.rmtree(tmp_path / "out/_static/play")
    assert changed_games(app, app.env, (), (), ()) == ["index"]


@pytest.mark.data
@pytest.mark.skipif(not DATA, reason="HUMALIGN_DATA is not set: no real files are here")
def test_first_page_shows_real_people_where_their_answers_are():
    from humalign.play import book

    made = book.front_page()
    names = [one["id"] for one in made.data["pictures"]]
    found = {frozenset(names[k] for k in one["p"]): {names[k]: n for k, n in zip(one["p"], one["n"])}
             for one in made.data["rounds"]}  # fmt: skip
    # counted with awk in the files: 22, 4, 4 in testset2.txt and one more nose in test_10_ID.txt
    assert found[frozenset({"nose", "sailboat", "curtain"})] == {"nose": 23, "sailboat": 4, "curtain": 4}
    # 17 people of testset1.txt and 160 of responses_2025.txt
    assert sum(found[frozenset({"chopsticks", "plastic_film", "scraper"})].values()) == 177
    clip = made.data["all"]["share"][made.data["networks"].index("CLIP ViT-B/32")]
    assert 0.45 < clip < 0.6  # in a wrong order of rows it would be near .4
    assert made.data["who"] == ["person", "people"]


# ---- in a browser ----------------------------------------------------------------------------------------------------


def test_a_game_by_keyboard(browser, tmp_path):
    made = game(seed=2)
    page, trouble = opened(browser, play.write(made, tmp_path), "?person=p7")
    keys, data = "213", made.data
    for turn, (key, one) in enumerate(zip(keys, data["rounds"])):
        assert page.locator(".ha-play-result b").count() == 0  # nothing is told before the answer
        page.keyboard.press(key)
        page.keyboard.press("3")  # a second answer changes nothing
        told = page.locator(".ha-play-said").inner_text()
        assert f"You picked “{data['pictures'][one['p'][int(key) - 1]]['label']}”" in told
        assert "equal could not decide; groups picked" in told
        results = page.locator(".ha-play-result").all_inner_texts()
        assert [int(re.search(r"(\d+) of", text)[1]) for text in results] == one["n"]
        assert page.locator("[aria-pressed=true]").count() == 1
        assert page.evaluate("document.activeElement.textContent") == ("Next" if turn < 2 else "See your score")
        page.keyboard.press("Enter")
    hits = sum(one["n"][int(key) - 1] == max(one["n"]) for key, one in zip(keys, data["rounds"]))
    assert f"in {hits} of 3 rounds" in page.locator("[role=heading]").inner_text()
    rows = page.locator(".ha-play-scores tr").all_inner_texts()
    assert [row.split("\t")[0].strip() for row in rows] == ["You", "equal", "groups", "Another person", "Guessing"]
    assert rows[1].split()[-1] == "0"
    assert rows[-1].split()[-1] == "1.0"  # one most frequent answer in each of three rounds
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Save my answers").click()
    saved = tmp_path / waiting.value.suggested_filename
    waiting.value.save_as(saved)
    lines = list(csv.DictReader(saved.read_text("utf8").splitlines()))
    assert list(lines[0]) == ["a", "b", "c", "odd", "person"]
    shown = [[data["pictures"][k]["id"] for k in one["p"]] for one in data["rounds"][:3]]
    assert [[line["a"], line["b"], line["c"]] for line in lines] == shown
    assert [line["odd"] for line in lines] == [names[int(key) - 1] for names, key in zip(shown, keys)]
    assert {line["person"] for line in lines} == {"p7"}
    assert play.read_answers(saved, IDS).counts.sum() == 3  # the page's own table comes back in
    page.get_by_role("button", name="Play 3 other rounds").click()
    alts = [image.get_attribute("alt") for image in page.locator("img").all()]
    assert alts == [data["pictures"][k]["label"] for k in data["rounds"][3]["p"]]
    assert trouble == []


def test_another_person_is_compared_with_all_others(browser, tmp_path):
    """Answers 2, 1, 0: to each of the two, both others count alike (1/2); the third meets the two and disagrees (0)."""
    rows = np.array([[1, 2, 0], [1, 2, 0], [0, 2, 1]])
    counted = play.of_triplets(Triplets(IDS, rows, "made up", "none"), ids=IDS)
    page, trouble = opened(browser, play.write(play.make(pictures(), counted, rounds=1), tmp_path))
    page.keyboard.press("1")
    page.keyboard.press("Enter")
    other = page.locator(".ha-play-scores tr", has_text="Another person").inner_text()
    assert other.split()[-1] == "0.3"  # (1/2 + 1/2 + 0) / 3
    assert trouble == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_needs_no_sideways_scrolling(browser, tmp_path, scheme):
    page, trouble = opened(
        browser, play.write(game(), tmp_path, embed=True), viewport={"width": 390, "height": 844}, color_scheme=scheme
    )
    for _ in range(3):
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        page.locator(".ha-play-pick").first.click()
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        page.keyboard.press("Enter")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert trouble == []


def test_keys_belong_to_a_field_that_has_the_focus(browser, tmp_path):
    page, _ = opened(browser, play.write(game(rounds=1), tmp_path))
    page.keyboard.press("1")
    page.keyboard.press("Enter")
    page.locator("input").fill("")
    page.keyboard.type("123")
    assert page.locator("input").input_value() == "123"


# ---- triplets to look through ----------------------------------------------------------------------------------------


def test_disagreement_of_people_and_of_networks():
    from humalign.play.browse import disagreement

    assert disagreement({"n": [2, 2, 2], "net": [0, -1]}) == pytest.approx([1, 2 / 3, 2 / 3])
    assert disagreement({"n": [4, 0, 0], "net": [0, 1]}) == pytest.approx([0, 0, 1])


def test_triplets_are_sorted_by_what_the_reader_chooses(browser, tmp_path):
    from humalign.play.browse import triplets

    made = game(rounds=10)
    sources = play.write_thumbnails(made, tmp_path / "pictures", "pictures/")
    (tmp_path / "t.html").write_text(
        f'<!doctype html><html lang="en"><body>{triplets(made, sources)}</body></html>', "utf8"
    )
    page, trouble = opened(browser, tmp_path / "t.html", viewport={"width": 390, "height": 844})
    scores = [[float(x) for x in li.get_attribute("data-scores").split()] for li in page.locator("li").all()]
    assert [one[0] for one in scores] == sorted((one[0] for one in scores), reverse=True)
    page.get_by_label("First where").select_option(label="groups disagrees with people")
    after = [float(li.get_attribute("data-scores").split()[2]) for li in page.locator("li").all()]
    assert after == sorted((one[2] for one in scores), reverse=True)
    assert page.locator("li").first.locator("img").count() == 3
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert trouble == []
