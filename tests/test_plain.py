"""The plain layout: what is written comes back, and what is wrong with a folder is told in one line."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from humalign.data import plain
from humalign.data.types import HumanRDM, Stimuli, Triplets
from humalign.errors import InputError, MissingData

INK = st.characters(exclude_categories=("C", "Z"))  # all that is printable (str.isprintable), without blanks
TEXT = INK | st.tuples(INK, st.text(INK | st.just(" "), max_size=10), INK).map("".join)


def pictures(ids, **more):
    pixels = np.random.default_rng(0).integers(0, 256, (len(ids), 4, 4, 3), dtype=np.uint8)
    return Stimuli(tuple(ids), "drawn here", "MIT", pixels, **more)


@st.composite
def answers(draw):
    ids = draw(st.lists(TEXT, min_size=3, max_size=6, unique=True))
    rows = draw(st.lists(st.permutations(range(len(ids))).map(lambda p: p[:3]), min_size=1, max_size=8))
    n, more = len(rows), {}
    if draw(st.booleans()):
        who = draw(st.sampled_from([st.integers(0, 10**6), TEXT]))
        more["participants"] = np.array(draw(st.lists(who, min_size=n, max_size=n)))
    if draw(st.booleans()):
        times = st.floats(0, 1e6, exclude_min=True)
        more["response_times"] = np.array(draw(st.lists(times, min_size=n, max_size=n)))
    if draw(st.booleans()):
        more["level"] = np.array(draw(st.lists(TEXT | st.just(""), min_size=n, max_size=n)))
    return Triplets(tuple(ids), np.array(rows), "drawn here", "MIT", **more)


@settings(max_examples=60, deadline=None)
@given(answers())
def test_answers_come_back(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("study")
    plain.write_pictures(folder, pictures(data.ids))
    shown = plain.read_pictures(folder)
    assert shown.ids == shown.concepts == data.ids
    found = plain.read_answers(plain.write_answers(folder / "answers.csv", data), shown, "again")
    assert found.checksum == data.checksum
    for name in ("participants", "response_times", "level"):
        one, two = getattr(found, name), getattr(data, name)
        assert (one is None) == (two is None)
        if one is not None:
            assert one.astype(two.dtype).tolist() == two.tolist()


@settings(max_examples=20, deadline=None)
@given(st.lists(TEXT, min_size=1, max_size=6, unique=True), st.data())
def test_pictures_come_back_pixel_by_pixel(tmp_path_factory, ids, data):
    from PIL import Image

    folder, m = tmp_path_factory.mktemp("study"), len(ids)
    concepts = data.draw(st.lists(TEXT, min_size=m, max_size=m))
    kind = data.draw(st.lists(TEXT | st.just(""), min_size=m, max_size=m))
    made = pictures(ids, concepts=concepts)
    plain.write_pictures(folder, made, kind=kind)
    found = plain.read_pictures(folder)
    assert (found.ids, found.concepts, found.meta) == (tuple(ids), tuple(concepts), {"kind": kind})
    assert all((np.asarray(Image.open(path)) == pixels).all() for path, pixels in zip(found.images, made.images))


@settings(max_examples=20, deadline=None)
@given(st.lists(TEXT, min_size=2, max_size=5, unique=True), st.integers(0, 3), st.integers(0, 99))
def test_arrangements_and_people_come_back(tmp_path_factory, ids, people, seed):
    rng, m = np.random.default_rng(seed), len(ids)
    folder, shown = tmp_path_factory.mktemp("study"), pictures(ids)
    values = rng.random((people, m, m) if people else (m, m))
    values += np.swapaxes(values, -1, -2)
    values[..., range(m), range(m)] = 0
    order = [ids[k] for k in rng.permutation(m)]
    plain.write_arrangement(folder / "arrangement.npz", HumanRDM(tuple(order), values, "drawn here", "MIT"))
    found = plain.read_arrangement(folder / "arrangement.npz", shown)
    assert found.ids == tuple(order)
    assert (found.rdm == values).all()

    chances = rng.dirichlet(np.ones(3), 7)
    told = plain.People(tuple(order), ("red", "round"), rng.random((m, 2)), chances, True, 2, "made up")
    plain.write_people(folder / "people.npz", told)
    found = plain.read_people(folder / "people.npz", shown)
    assert found.ids == tuple(ids)
    assert found.align(order).checksum == told.checksum
    assert (found.known, found.nearest, found.title) == (True, 2, "made up")


TRIALS = pd.DataFrame(
    [
        ("p1", "trial", "coarse", "a", "b", "c", "b", 1.25, ""),
        ("p1", "catch", "", "a", "a", "c", "c", 0.5, "c"),
        ("p2", "trial", "boundary", "c", "b", "d", np.nan, np.nan, ""),
    ],
    columns=["participant", "kind", "level", "image1", "image2", "image3", "selected", "seconds", "correct"],
)


def test_sessions_come_back(tmp_path):
    plain.write_sessions(tmp_path / "sessions.csv", TRIALS)
    found = plain.read_sessions(tmp_path / "sessions.csv", pictures("abcd"))
    pd.testing.assert_frame_equal(found, TRIALS, check_dtype=False)


# ---- what a hand can get wrong


@pytest.fixture
def study(tmp_path):
    """Four pictures with all files."""
    folder = tmp_path / "lab"
    shown = pictures("abcd", concepts=("cat", "cat", "dog", "dog"))
    plain.write_pictures(folder, shown)
    data = Triplets(shown.ids, np.array([[0, 1, 2], [2, 3, 0]]), "", "", response_times=np.array([1.0, 2]))
    plain.write_answers(folder / "answers.csv", data)
    plain.write_sessions(folder / "sessions.csv", TRIALS)
    return folder


def text(path, old, new):
    content = path.read_text("utf8")
    assert old in content
    path.write_text(content.replace(old, new, 1), "utf8")


def one_line(error, *parts):
    told = str(error.value)
    assert "\n" not in told
    for part in parts:
        assert part in told


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("id,", "name,", "has no column called id"),
        ("id,file,concept", "id;file;concept", "separate cells by commas"),
        ("id,file,concept", "id,file,file", "two columns called 'file'"),
        ("b,pictures", "a,pictures", "line 3: id 'a' stands in line 2 already"),
        ("b,pictures", ",pictures", "line 3 has no id"),
        ("pictures/b.png", "pictures/x.png", "line 3: pictures/x.png does not exist"),
        ("pictures/b.png", "../b.png", "line 3: file '../b.png' is no path below this folder"),
        ("pictures/b.png", "/tmp/b.png", "is no path below this folder"),
        ("pictures/b.png", "pictures\\b.png", "is no path below this folder"),
        ("b,pictures/b.png,cat", "b,pictures/b.png,", "line 3 has no concept"),
        ("b,pictures/b.png,cat", "b,pictures/b.png", "line 3 has 2 cells for 3 columns"),
        ("b,pictures/b.png,cat", 'b,"pictures/b.png,cat', "cannot be read as a table"),
    ],
)
def test_wrong_pictures_are_told_in_one_line(study, old, new, told):
    text(study / "pictures.csv", old, new)
    with pytest.raises(InputError) as error:
        plain.read_pictures(study)
    one_line(error, "pictures.csv", told)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("odd", "third", "has no column called odd"),
        ("a,b,c", "a,b,zebra", "line 2: odd 'zebra' is no id of pictures.csv"),
        ("a,b,c", "a,b,", "line 2: odd '' is no id of pictures.csv"),
        ("c,d,a", "c,d,c", "line 3 names one picture twice (c, d, c)"),
        ("1.0", "nan", "line 2: seconds is 'nan', not a number"),
        ("1.0", "", "line 2: seconds is '', not a number"),
        ("2.0", "-2", "line 3: seconds are not above 0"),
        ("a,b,c,1.0\nc,d,a,2.0\n", "", "has a header and no lines"),
    ],
)
def test_wrong_answers_are_told_in_one_line(study, old, new, told):
    text(study / "answers.csv", old, new)
    with pytest.raises(InputError) as error:
        plain.read_answers(study / "answers.csv", plain.read_pictures(study), "lab")
    one_line(error, "answers.csv", told)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("p1,trial", "p1,practice", "line 2: kind 'practice' is not known"),
        ("coarse", "middle", "level 'middle' is not known"),
        ("a,b,c,b,1.25", "a,b,c,d,1.25", "line 2: selected 'd' is none of the three pictures"),
        ("a,b,c,b,1.25", "a,b,c,b,", "line 2 has a choice without a time"),
        ("c,0.5,c", "c,0.5,", "line 3 is a catch trial without its right answer"),
        (",correct", ",other", "has catch trials and no column called correct"),
    ],
)
def test_wrong_sessions_are_told_in_one_line(study, old, new, told):
    text(study / "sessions.csv", old, new)
    with pytest.raises(InputError) as error:
        plain.read_sessions(study / "sessions.csv", plain.read_pictures(study))
    one_line(error, "sessions.csv", told)


@pytest.mark.parametrize(
    ("ids", "change", "told"),
    [
        ("abcd", lambda r: r + np.arange(4), "not symmetric"),
        ("abcd", lambda r: np.where(r == 3, np.nan, r), "NaN"),
        ("abcd", lambda r: r + 1, "diagonal"),
        ("abcd", lambda r: r[:3], "has shape"),
        ("abcd", lambda r: r.astype(str), "something else"),
        ("abca", lambda r: r, "'a' occurs more than once"),
        ("abcz", lambda r: r, "row 3 of ids: 'z' is no id of pictures.csv"),
    ],
)
def test_wrong_arrangements_are_told_in_one_line(study, ids, change, told):
    square = np.abs(np.subtract.outer(np.arange(4.0), np.arange(4.0)))
    rdm = change(square)
    rdm = np.array([f"x{v}" for v in rdm.ravel()]).reshape(4, 4) if rdm.dtype.kind == "U" else rdm
    np.savez(study / "arrangement.npz", ids=np.array(list(ids)), rdm=rdm)
    with pytest.raises(InputError) as error:
        plain.read_arrangement(study / "arrangement.npz", plain.read_pictures(study))
    one_line(error, "arrangement.npz", told)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"dimensions": -np.ones((4, 2))}, "row 0 ('a') is negative"),
        ({"dimensions": np.ones((4, 3))}, "dimensions are"),
        ({"dimensions": np.full((4, 2), np.inf)}, "NaN or infinite"),
        ({"names": np.array(["red", "red"])}, "'red' occurs more than once"),
        ({"ids": np.array(["a", "b", "c", "z"])}, "'z' is no id of pictures.csv"),
        ({"probabilities": np.ones((2, 3))}, "does not sum to 1"),
        ({"nearest": 3}, "nearest is 3"),
        ({"dimensions": np.ones((4, 2)), "ids": np.array(list("abc"))}, "dimensions are"),
    ],
)
def test_wrong_people_are_told_in_one_line(study, change, told):
    good = {"ids": np.array(list("abcd")), "names": np.array(["red", "round"]), "dimensions": np.ones((4, 2))}
    np.savez(study / "people.npz", **{**good, **change})
    with pytest.raises(InputError) as error:
        plain.read_people(study / "people.npz", plain.read_pictures(study))
    one_line(error, "people.npz", told)


def test_pickles_stay_closed(study):
    np.savez(study / "arrangement.npz", ids=np.array(list("abcd"), object), rdm=np.zeros((4, 4)))
    with pytest.raises(InputError, match="pickled"):
        plain.read_arrangement(study / "arrangement.npz", plain.read_pictures(study))


def test_further_columns_follow_their_rows(study):
    text(study / "answers.csv", "seconds", "seconds,room")
    text(study / "answers.csv", "1.0", "1.0,north")
    text(study / "answers.csv", "2.0", "2.0,south")
    found = plain.read_answers(study / "answers.csv", plain.read_pictures(study), "lab")
    assert found.meta == {"room": ["north", "south"]}
    assert found.select(found.response_times > 1).meta == {"room": ["south"]}


def test_a_second_session_asks_the_same_triplets(study):
    first = plain.read_answers(study / "answers.csv", plain.read_pictures(study), "lab")
    turned = Triplets(first.ids, first.triplets[:, [2, 0, 1]], "", "")
    plain.check_again(first, turned, "repeated-again.csv")
    with pytest.raises(InputError, match="line 2 differs"):
        plain.check_again(first, first.select([1, 0]), "repeated-again.csv")
    with pytest.raises(InputError, match="number of lines"):
        plain.check_again(first, first.select([1]), "repeated-again.csv")


def test_names_that_would_not_come_back_are_refused(tmp_path):
    for name in ("a\nb", " a", "a\x00"):
        with pytest.raises(InputError, match="control characters or blanks"):
            plain.write_table(tmp_path / "t.csv", {"id": [name]})
    assert not (tmp_path / "t.csv").exists()


def test_a_missing_file_and_a_new_folder(study, tmp_path):
    with pytest.raises(MissingData, match="no such file"):
        plain.read_answers(study / "control.csv", plain.read_pictures(study), "lab")
    assert plain.studies(tmp_path) == ["lab"]
    with pytest.raises(InputError, match="not an empty folder"), plain.new_folder(study):
        pass
    with pytest.raises(FileNotFoundError), plain.new_folder(tmp_path / "new") as folder:
        (folder / "half" / "written").write_text("")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["lab"]
