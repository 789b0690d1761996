"""The drawn world: drawings, pictures, people, data sets, and the frozen protocol."""

import numpy as np
import pytest
from scipy.stats import spearmanr

from humalign.config import get_profile
from humalign.errors import InputError
from humalign.features import simple
from humalign.levels import exclude
from humalign.roles import ROLES
from humalign.world import datasets, draw, drawing, observers, protocol, rules, splits, stimuli


def keeps_pair(gram, triplets):
    i, j, k = np.asarray(triplets).T
    return (gram[i, j] > gram[i, k]) & (gram[i, j] > gram[j, k])


# ---- drawings --------------------------------------------------------------------------------------------------------

SCENES = "== scene\nwall: | r white 0,0 14,14\n"


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("ball: A=red | q A 0,0 1,1", "no shape"),
        ("ball: A=red | e B 0,0 1,1", "neither a palette colour nor a slot"),
        ("ball: A=rouge | e A 0,0 1,1", "unknown colour 'rouge'"),
        ("ball: A=red | e A 0,0", "takes at least 2"),
        ("ball: A=red | e A 0,0 wide", "word for a number"),
        ("ball: A=red | e A 0,0 1,1,1", "neither a number nor a pair"),
        ("ball: A=red | e A 5 1,1", "mixes up single numbers and pairs"),
        ("ball: A=red | l A 0,0 1,1 2,2", "mixes up single numbers and pairs"),
        ("ball: A=red | e A 0,0 1,nan", "out of range"),
        ("ball: A=red | e", "has no colour"),
        ("ball: B=red | e B 0,0 1,1", "no slot A"),
        ("ball: A=red", "nothing is drawn"),
        ("ball: A=red @=sea | e A 0,0 1,1", "no scene 'sea'"),
        ("ball", "a line must read"),
    ],
)
def test_parser_names_file_line_and_problem(tmp_path, line, problem):
    (tmp_path / "toy.txt").write_text(f"# a comment\n== toy : wall\n{line}\n")
    (tmp_path / "scenes.txt").write_text(SCENES)
    with pytest.raises(InputError) as caught:
        drawing.load(tmp_path)
    assert str(caught.value).startswith("toy.txt:3: ")
    assert problem in str(caught.value)
    assert "\n" not in str(caught.value)


def test_parser_refuses_orphans_and_twins(tmp_path):
    (tmp_path / "scenes.txt").write_text(SCENES)
    (tmp_path / "toy.txt").write_text("== toy : wall\nball: A=red | e A 0,0 9,9\n")
    (tmp_path / "toy_views.txt").write_text("top/2: A=red | e A 0,0 9,9\n")
    with pytest.raises(InputError, match=r"toy_views.txt:1: .*no first view"):
        drawing.load(tmp_path)
    (tmp_path / "toy_views.txt").write_text("ball/3: A=red | e A 0,0 9,9\n")
    with pytest.raises(InputError, match="not numbered"):
        drawing.load(tmp_path)
    (tmp_path / "toy_views.txt").unlink()
    (tmp_path / "toy.txt").write_text("== toy : wall\nball: A=red | e A 0,0 9,9\nball: A=red | e A 0,0 9,9\n")
    with pytest.raises(InputError, match=r"toy.txt:3: .*drawn twice"):
        drawing.load(tmp_path)
    with pytest.raises(InputError, match="no drawings"):
        drawing.load(tmp_path / "nothing")


def test_size_of_the_world():
    world = drawing.world()
    assert len(world.concepts) == 198
    assert len(world.superordinates) == 26
    assert sum(len(views) > 1 for views in world.views.values()) >= 45
    assert min(len(world.members(s)) for s in world.superordinates) >= 5


# ---- pictures --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["saw/train3", "donut/train0", "bicycle/train1", "owl/2", "rainbow/test4"])
def test_same_picture_at_two_sizes(name):
    small, facts = stimuli.picture(name, 64, noise=False)
    large, same = stimuli.picture(name, 512, noise=False)
    assert facts == same
    difference = np.abs(draw.reduce(large, 8).astype(int) - small).mean()
    other = np.abs(draw.reduce(large, 8).astype(int) - stimuli.picture("cup/train9", 64, noise=False)[0]).mean()
    assert difference < 4
    assert other > 5 * difference


def test_pictures_are_determined_by_their_id():
    a, b = stimuli.picture("dog/train0"), stimuli.picture("dog/train0")
    assert np.array_equal(a[0], b[0])
    assert a[1] == b[1]
    assert not np.array_equal(a[0], stimuli.picture("dog/train1")[0])
    facts = draw.facts("dog", draw.seed_of(f"{stimuli.SEED}/dog/train0"))
    assert facts == {k: a[1][k] for k in ("view", "slots")}


def test_scene_coupling_changes_the_background_only():
    names = [f"dog/train{k}" for k in range(60)]
    never = [stimuli.picture(n, 32, 0.0, noise=False)[1] for n in names]
    always = [stimuli.picture(n, 32, 1.0, noise=False)[1] for n in names]
    half = [stimuli.picture(n, 32, 0.5, noise=False)[1] for n in names]
    habitual = {s for v in drawing.world().views["dog"] for s in v.scenes}
    assert not habitual & {f["scene"] for f in never}
    assert {f["scene"] for f in always} <= habitual
    assert 15 <= sum(f["scene"] in habitual for f in half) <= 45
    for a, b in zip(never, always):
        assert {k: a[k] for k in ("view", "slots", "scale")} == {k: b[k] for k in ("view", "slots", "scale")}


def test_things_show_the_second_view_where_there_is_one():
    assert stimuli.picture("dog/1")[1]["view"] == 1
    assert stimuli.picture("dog/2")[1]["view"] == 2
    single = next(c for c, v in drawing.world().views.items() if len(v) == 1)
    assert stimuli.picture(f"{single}/2")[1]["view"] == 1


def test_unknown_names_are_refused():
    with pytest.raises(InputError, match="no concept"):
        draw.render("yeti", 0)
    with pytest.raises(InputError, match="no view 9"):
        draw.render("dog", 0, view=9)
    with pytest.raises(InputError, match="no split"):
        stimuli.split_ids("dogs")
    with pytest.raises(InputError, match="no group"):
        observers.values(["dog/1"], "cats")


def test_images_keep_their_ids(tmp_path):
    profile = get_profile("mini", cache=tmp_path)
    first = stimuli.images("cichy", profile=profile)
    assert first.images.shape == (118, 32, 32, 3)
    assert first.images.dtype == np.uint8
    again = stimuli.images("cichy", profile=profile)  # from the cache
    assert np.array_equal(first.images, again.images)
    assert first.meta["facts"] == again.meta["facts"]
    turned = first.align(first.ids[::-1])
    name = turned.ids[5]
    assert np.array_equal(turned.images[5], draw.reduce(stimuli.picture(name, 64)[0], 2))
    assert turned.meta["colours"][5] == stimuli.main_colour(name)
    assert turned.concepts[5] == name.split("/")[0]


def test_processes_draw_what_one_process_draws():
    ids = stimuli.split_ids("test")[:1600]
    many, facts = stimuli.draw_ids(ids, 16, workers=2, progress=False)
    for k in (0, 777, 1599):
        pixels, fact = stimuli.picture(ids[k], 64)
        assert np.array_equal(many[k], draw.reduce(pixels, 4))
        assert facts[k]["slots"] == fact["slots"]


def test_contact_sheet_without_labels_gives_no_names_away():
    with_names = draw.contact_sheet(["dog", "cat"], size=32, columns=2)
    without = draw.contact_sheet(["dog", "cat"], size=32, columns=2, labels=False)
    assert with_names.size == (64, 44)
    assert without.size == (64, 32)


# ---- observers -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("big: elefant", "neither a concept nor a superordinate"),
        ("big: elephant*x", "no number behind"),
        ("big: elephant\nbig: whale", "each dimension once"),
        ("@red: rouge", "no palette colour"),
        ("big elephant", "must read"),
    ],
)
def test_dimensions_name_the_line(text, problem):
    with pytest.raises(InputError, match=problem) as caught:
        observers.parse_dimensions(text, drawing.world())
    assert str(caught.value).startswith(f"dims.txt:{text.count(chr(10)) + 1}: ")


def test_a_concept_replaces_its_superordinate():
    world = drawing.world()
    _, values, _ = observers.parse_dimensions("dog-like: dog*.3 mammal*.9", world)
    row = {c: k for k, c in enumerate(world.concepts)}
    assert values[row["dog"], 0] == 0.3
    assert values[row["cat"], 0] == 0.9
    assert values[row["car"], 0] == 0


def test_odd_last():
    assert observers.odd_last(np.array([[5, 6, 7]] * 3), np.array([0, 1, 2])).tolist() == [
        [6, 7, 5],
        [5, 7, 6],
        [5, 6, 7],
    ]


def test_choices_follow_the_softmax_rule():
    # three pictures with known similarities, one person without lapses: frequencies must match the formula
    seen = np.array([[1.2, 0.1], [1.0, 0.5], [0.1, 1.1]])
    weights = np.array([1.0, 0.7])
    s = np.array([(seen[a] * weights * seen[b]).sum() for a, b in ((0, 1), (0, 2), (1, 2))])
    expected = np.exp(s) / np.exp(s).sum()
    crew = observers.Crew(weights[None], np.zeros(1), np.ones(1))
    n = 40_000
    original = observers.people
    try:
        observers.people = lambda group: crew
        triplets, who = np.tile([[0, 1, 2]], (n, 1)), np.zeros(n, int)
        odd, seconds = observers.respond(seen, triplets, who, "a test")
        guesses, quick = observers.respond(seen, triplets, who, "a test", lapses=np.ones(n))
    finally:
        observers.people = original
    frequency = np.bincount(2 - odd, minlength=3) / n  # pair (0, 1) is kept when 2 is odd
    assert np.allclose(frequency, expected, atol=0.012)
    assert np.allclose(np.bincount(guesses, minlength=3) / n, 1 / 3, atol=0.012)
    p = observers.PARAMETERS
    doubt = -(expected * np.log(expected)).sum()
    assert np.median(seconds) == pytest.approx(p["response_base"] + p["response_gain"] * doubt, rel=0.02)
    assert np.median(quick) == pytest.approx(p["response_base"], rel=0.02)


def test_group_probabilities_are_the_mean_over_people():
    rng = np.random.default_rng(0)
    d = len(observers.dimension_names())
    seen, triplets = rng.random((6, d)) * 0.5, np.array([[0, 1, 2], [3, 4, 5], [5, 0, 3]])
    crew = observers.people("main")
    slow = np.zeros((3, 3))
    for w, lapse in zip(crew.weights, crew.lapses):
        for row, (a, b, c) in enumerate(triplets):
            s = np.array([(w * seen[x] * seen[y]).sum() for x, y in ((a, b), (a, c), (b, c))])
            slow[row] += (1 - lapse) * np.exp(s) / np.exp(s).sum() + lapse / 3
    assert np.allclose(observers.group_probabilities(seen, triplets), slow / len(crew))


def test_people_differ_and_lapse_as_said():
    crew = observers.people("main")
    assert len(crew) >= 200
    assert crew.lapses.mean() == pytest.approx(0.03, abs=0.005)
    assert np.log(crew.weights).std() == pytest.approx(0.25, abs=0.01)
    assert np.log(observers.people("arrangement").weights).std() == pytest.approx(0.40, abs=0.01)


@pytest.fixture(scope="module")
def things():
    return datasets.things()


def test_accuracy_of_the_group_reaches_bayes_and_no_more(things):
    seen = observers.values(things.ids)
    some = things.triplets[:20_000]
    bayes = observers.group_probabilities(seen, some).max(1).mean()
    accuracy = keeps_pair(seen @ seen.T, some).mean()
    assert bayes == pytest.approx(rules.BAYES_TARGET, abs=0.01)
    assert accuracy == pytest.approx(bayes, abs=0.012)


def test_repeated_triplets_have_the_ceiling_the_model_predicts():
    first, again = datasets.things_repeated(), datasets.things_repeated(again=True)
    assert np.array_equal(first.participants, again.participants)
    assert np.array_equal(np.sort(first.triplets, 1), np.sort(again.triplets, 1))
    keys, counts = np.unique(np.sort(first.triplets, 1), axis=0, return_counts=True)
    assert len(keys) == 1000
    assert counts.min() >= 30
    # no person answers a triplet twice within one pass
    pairs = np.c_[np.sort(first.triplets, 1), first.participants]
    assert len(np.unique(pairs, axis=0)) == len(pairs)
    p = observers.group_probabilities(observers.values(first.ids), keys)
    same = (first.triplets[:, 2] == again.triplets[:, 2]).mean()
    expected = (p**2).sum(1).mean()
    assert expected < same < expected + 0.06  # the same person agrees with herself a little more than with others


def test_response_times_rise_with_doubt(things):
    p = observers.group_probabilities(observers.values(things.ids), things.triplets[:8000])
    seconds = things.response_times[:8000]
    assert spearmanr(observers.entropy(p), seconds).statistic > 0.3
    assert np.all(seconds > 0)
    levels = datasets.levels()
    for level in datasets.LEVELS:
        own = np.flatnonzero(levels.level == level)[:1500]
        q = observers.group_probabilities(observers.values(levels.ids), levels.triplets[own])
        assert spearmanr(observers.entropy(q), levels.response_times[own]).statistic > 0.2, level


def test_control_group_is_unrelated_to_the_pictures(things):
    control = datasets.permuted()
    assert np.array_equal(np.sort(control.triplets, 1), np.sort(things.triplets, 1))
    seen = observers.values(things.ids)
    assert keeps_pair(seen @ seen.T, control.triplets).mean() == pytest.approx(1 / 3, abs=0.02)
    own = observers.values(things.ids, "control")
    assert keeps_pair(own @ own.T, control.triplets).mean() == pytest.approx(
        keeps_pair(seen @ seen.T, things.triplets).mean(), abs=0.02
    )
    moved = observers.permutation()
    assert set(moved) == set(moved.values())
    assert all(a != b for a, b in moved.items())


# ---- data sets -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", datasets.DATASETS)
def test_data_sets_are_the_same_every_time(name):
    title, make = datasets.DATASETS[name]
    first = make().checksum
    datasets.levels_sessions.cache_clear()
    datasets._things_design.cache_clear()
    assert make().checksum == first
    assert title.endswith(".")


def test_things_have_three_concepts_in_each_triplet(things):
    assert len(things.triplets) >= 100_000
    concept = np.array(things.concepts)[things.triplets]
    assert np.all(
        (concept[:, 0] != concept[:, 1]) & (concept[:, 0] != concept[:, 2]) & (concept[:, 1] != concept[:, 2])
    )
    train, test = datasets.things("train"), datasets.things("test")
    assert len(test.triplets) == len(things.triplets) // 10
    assert len(train.triplets) + len(test.triplets) == len(things.triplets)
    assert np.array_equal(test.triplets, things.triplets[9::10])
    assert len(np.unique(things.participants)) >= 200
    # the odd one is not at a fixed place of what was shown
    shown = datasets._things_design()[1]
    place = (shown == things.triplets[:, 2:]).argmax(1)
    assert np.bincount(place, minlength=3) / len(place) == pytest.approx(1 / 3, abs=0.01)


def test_coarse_labels_are_true_labels():
    t = datasets.coarse_labels()
    kind = np.array([drawing.world().superordinate[c] for c in t.concepts])[t.triplets]
    assert len(t.triplets) == 50_000
    assert np.all(kind[:, 0] == kind[:, 1])
    assert np.all(kind[:, 0] != kind[:, 2])
    assert np.all(t.triplets[:, 0] != t.triplets[:, 1])


@pytest.mark.parametrize(("name", "size"), [("cichy", 118), ("king1", 144), ("king2", 144)])
def test_arrangements_are_people_not_copies(name, size):
    human = datasets.arrangement(name)
    assert human.rdm.shape == (20, size, size)
    assert np.allclose(human.rdm, human.rdm.transpose(0, 2, 1))
    assert np.all(np.diagonal(human.rdm, axis1=1, axis2=2) == 0)
    upper = np.triu_indices(size, 1)
    one, other = human.rdm[0][upper], human.rdm[1][upper]
    assert 0.05 < spearmanr(one, other).statistic < 0.9
    assert spearmanr(human.rdm[::2].mean(0)[upper], human.rdm[1::2].mean(0)[upper]).statistic > 0.5
    assert len(set(human.ids)) == size


def test_levels_mean_what_they_say():
    levels, world = datasets.levels(), drawing.world()
    concept = np.array(levels.concepts)[levels.triplets]
    kind = np.array([world.superordinate[c] for c in levels.concepts])[levels.triplets]

    def distinct(rows):
        ordered = np.sort(rows, 1)
        return 1 + (ordered[:, 1:] != ordered[:, :-1]).sum(1)

    at = {name: levels.level == name for name in datasets.LEVELS}
    assert np.all(distinct(kind[at["coarse"]]) == 3)
    assert np.all(distinct(kind[at["fine"]]) == 1)
    assert np.all(distinct(concept[at["fine"]]) == 3)
    assert np.all(distinct(concept[at["boundary"]]) == 2)
    assert np.all(distinct(levels.triplets) == 3)
    share = distinct(kind[at["boundary"]]) == 1
    assert 0.4 < share.mean() < 0.6
    for name in datasets.LEVELS:
        _, counts = np.unique(np.sort(levels.triplets[at[name]], 1), axis=0, return_counts=True)
        assert counts.min() >= 5


def test_exclusions_find_the_careless():
    sessions = datasets.levels_sessions()
    table = exclude(sessions)[1].set_index("participant")
    out = table.index[~table["kept"]]
    people = sessions["participant"].nunique()
    assert 0.02 * people < len(out) < 0.2 * people
    catch = sessions[sessions["kind"] == "catch"]
    right = (catch["selected"] == catch["correct"]).groupby(catch["participant"]).mean()
    assert right[list(out)].mean() < 0.85 < 0.97 < right.drop(list(out)).mean()
    assert sessions["selected"].isna().sum() > 20
    assert sessions.loc[sessions["selected"].isna(), "seconds"].isna().all()
    kept = set(datasets.levels().participants)
    assert not kept & {int(name.removeprefix("person")) for name in out}


def test_no_leak_between_splits():
    ids = {split: set(stimuli.split_ids(split)) for split in stimuli.SPLITS}
    for a in ids:
        for b in ids:
            assert a == b or not ids[a] & ids[b]
    part = splits.concept_split()
    seen = set(splits.concepts_of("seen"))
    assert seen | set(splits.concepts_of("held-out")) == set(drawing.world().concepts)
    assert not seen & set(splits.concepts_of("held-out"))
    assert not set(splits.concepts_of("H1")) & set(splits.concepts_of("H2"))
    assert 0.57 < len(seen) / len(part) < 0.63
    for superordinate in drawing.world().superordinates:
        share = np.mean([part[c] == "seen" for c in drawing.world().members(superordinate)])
        assert 0.4 <= share <= 0.8
    with pytest.raises(InputError, match="no part"):
        splits.concepts_of("H3")
    part["dog"] = "nowhere"
    assert splits.concept_split()["dog"] != "nowhere"


def test_pictures_of_different_splits_differ():
    a = stimuli.picture("dog/train0", 32, noise=False)[0]
    others = [stimuli.picture(f"dog/{s}", 32, noise=False)[0] for s in ("web0", "test0", "1", "train1")]
    assert all(np.abs(a.astype(int) - b).mean() > 3 for b in others)


def test_one_shot_split_hides_the_support():
    split = datasets.one_shot_split(3)
    assert not set(split["support"]) & set(split["query"])
    assert set(split["classes"]) == set(splits.concepts_of("H2"))
    named = [split["classes"][k] for k in split["query_labels"]]
    assert named == [q.split("/")[0] for q in split["query"]]
    assert datasets.one_shot_split(3)["support"] == split["support"]
    assert datasets.one_shot_split(4)["support"] != split["support"]


@pytest.mark.parametrize("part", ["all", "held-out"])
def test_shift_split_has_new_concepts_of_known_classes(part):
    split = datasets.shift_split(1, part)
    assert not set(split["source_concepts"]) & set(split["target_concepts"])
    for key in ("train", "source", "target"):
        kinds = [drawing.world().superordinate[i.split("/")[0]] for i in split[key]]
        assert [split["classes"][k] for k in split[f"{key}_labels"]] == kinds
        assert set(kinds) == set(split["classes"])
    assert not set(split["train"]) & set(split["source"])
    allowed = set(splits.concepts_of(part))
    assert set(split["source_concepts"]) | set(split["target_concepts"]) <= allowed


def test_training_sets_have_the_concepts_they_promise(monkeypatch):
    def small(split, size=32, profile=None, **more):
        ids = stimuli.split_ids(split)[::40]
        facts = [{"k": i} for i in ids]
        pixels = np.zeros((len(ids), 2, 2, 3), np.uint8)
        return splits.Stimuli(ids, "test", "none", pixels, tuple(map(stimuli.concept_of, ids)), {"facts": facts})

    monkeypatch.setattr(splits, "images", small)
    seen = set(splits.concepts_of("seen"))
    assert set(splits.training_images("concepts").concepts) == seen
    web = splits.training_images("web")
    assert set(web.concepts) == set(drawing.world().concepts)
    assert {i.split("/")[1][:3] for i in web.ids} == {"tra", "web"}
    assert [f["k"] for f in web.meta["facts"]] == list(web.ids)
    for name in ("concepts", "coarse", "taxonomy", "web"):
        shown, (targets, names) = splits.training_set(name)
        assert len(targets) == len(shown)
        own = targets[7] if targets.ndim == 1 else targets[7].argmax()
        if name in ("concepts", "taxonomy"):
            assert names[own] == shown.concepts[7]
    assert splits.training_set("unlabelled")[1] is None
    with pytest.raises(InputError, match="no training set"):
        splits.training_images("nothing")


# ---- protocol --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def now():
    return protocol.state()


def test_the_world_is_the_frozen_one(now):
    assert protocol.drift(now=now) == []


def test_drift_is_noticed(monkeypatch, now):
    import copy

    from humalign import store

    frozen = store.read_json(protocol.FROZEN)
    other = copy.deepcopy(frozen)
    other["files"]["drawings/mammal.txt"] = "0" * 64
    other["parameters"]["scale"] = 1.5
    other["data"]["things"] = "0" * 16
    name = next(iter(other["pictures"]))
    other["pictures"][name]["pixels"] = [255 - v for v in other["pictures"][name]["pixels"]]
    other["numbers"]["weights"][0][0] += 0.01
    problems = "\n".join(protocol.drift(other, now))
    for word in ("drawings/mammal.txt", "'scale'", "'things'", f"picture '{name}' looks different", "'weights'"):
        assert word in problems
    # thumbnails forgive a different painter, not a different picture
    other = copy.deepcopy(frozen)
    other["pictures"][name]["pixels"] = [min(255, v + 2) for v in other["pictures"][name]["pixels"]]
    assert protocol.drift(other, now) == []
    monkeypatch.setattr(observers, "SCALE", 1.2)
    moved = {**now, "parameters": protocol._plain(protocol.parameters())}
    assert protocol.drift(frozen, moved) == ["parameter 'scale' is not the frozen one"]


def test_rules_choose_the_frozen_scale_and_coupling():
    near = [s for s in rules.SCALES if abs(s - observers.SCALE) < 0.05]
    assert rules.calibrate_scale(near)["chosen"] == observers.SCALE
    above = [k for k in rules.KAPPAS if k >= draw.KAPPA][:2]
    rows = rules.calibrate_kappa(above)["rows"]
    assert rows[draw.KAPPA]["colour histogram"] <= rules.HISTOGRAM_LIMIT
    assert all(rows[k]["colour histogram"] > rules.HISTOGRAM_LIMIT for k in above if k > draw.KAPPA)


def test_protocol_shows_the_frozen_numbers():
    from humalign import store

    text = protocol.DOCUMENT.read_text("utf8")
    assert protocol.document(text, store.read_json(protocol.FROZEN)) == text
    with pytest.raises(InputError, match="no block"):
        protocol.document("<!-- nonsense -->\n<!-- end -->", store.read_json(protocol.FROZEN))


def test_the_page_shows_the_frozen_tables():
    from humalign import store
    from humalign.chapters import world as study
    from humalign.source import open_source

    block = protocol.tables(store.read_json(protocol.FROZEN))["overlap"]
    table = study.overlap()
    assert [f"| {n} | {a:.2f} | {b:.2f} |" for n, a, b in table.itertuples(index=False)] == block.splitlines()[-51:]
    assert len(table) == 51
    counts = study.naming_summary()
    views = sum(len(v) for v in drawing.world().views.values())
    assert counts["drawings"].sum() == len(study.naming_check()) == views
    assert counts["share"].sum() == pytest.approx(1)
    sets = study.sets(open_source("mini")).set_index("role")
    extra = {"things, repeated", "things, again", "things, people"}
    assert set(sets.index) - extra == {n for n in open_source("mini").roles() if ROLES[n].kind != "pictures"}
    assert sets.loc["things", "triplets, pairs or dimensions"] == datasets.SIZES["things"]


def test_histogram_counts_colours():
    pixels = np.zeros((2, 32, 32, 3), np.uint8)
    pixels[1, :16] = 255
    features = simple.descriptions(pixels)["colour histogram"] ** 2
    assert np.allclose(features[0], [1024] + [0] * 63)
    assert np.allclose(features[1], [512] + [0] * 62 + [512])


def test_zero_shot_of_the_truth_is_right():
    rng = np.random.default_rng(0)
    features = np.repeat(rng.normal(size=(20, 30)), 2, 0) + 0.01 * rng.normal(size=(40, 30))
    triplets = np.array([[2 * a, 2 * a + 1, 2 * b] for a in range(20) for b in range(20) if a != b])
    assert rules.zero_shot(features, triplets) == 1


def test_overlap_of_labels_and_observers_is_reported():
    result = rules.overlap(permutations=99)
    assert 0 < result["mantel"] <= 1
    assert abs(result["mantel_control"]) < 0.05
    assert all(v["superordinate"] <= 1 for v in result["dimensions"].values())
    assert set(result["dimensions"]) == {n for n in observers.dimension_names() if not n.startswith("colour: ")}


def test_calibration_without_data_leaves_vice_out():
    from humalign.errors import MissingData

    with pytest.raises(MissingData, match="VICE is not at hand"):
        rules.vice_statistics(get_profile("mini").with_(data=None))


# ---- command ---------------------------------------------------------------------------------------------------------


def test_command_draws_and_verifies(tmp_path, capsys):
    from PIL import Image

    from humalign.cli import main

    out = tmp_path / "dog.png"
    assert main(["world", "draw", "dog", "--size", "96", "--out", str(out)]) == 0
    assert Image.open(out).size == (96, 96)
    assert main(["world", "sheet", "dog", "cat", "--views", "--size", "32", "--out", str(tmp_path / "s.png")]) == 0
    assert main(["world", "data"]) == 0
    assert "198 concepts" in capsys.readouterr().out
    assert main(["world", "verify"]) == 0
    assert main(["world", "draw", "yeti"]) == 2
    assert main(["world", "draw", "dog", "--size", "0"]) == 2
    assert main(["world", "draw", "dog", "--kappa", "2"]) == 2
    assert "no concept" in capsys.readouterr().err


# ---- figures ---------------------------------------------------------------------------------------------------------


def test_figures_say_what_they_show():
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    from humalign.chapters import world as figures
    from humalign.source import open_source

    _, table = figures.taxonomy(icon=8)
    assert sorted(table.concept) == list(drawing.world().concepts)
    _, table = figures.contact_sheet(["dog", "cup"], views=True, columns=2)
    assert list(table.concept) == ["dog", "dog", "cup", "cup"]
    assert list(table.view) == [1, 2, 1, 2]
    source = open_source("mini")
    table = figures.dimensions(source)
    shown = figures.attention(table).axes[0].images[0].get_array()
    np.testing.assert_allclose(np.ravel(shown), table["value"])  # rows and columns in the order of the table
    cell = table[(table.superordinate == "bird") & (table.dimension == "feathered")].value.item()
    assert cell == table[table.dimension == "feathered"].value.max()
    table = figures.difficulty(source, 4000, bins=4)
    assert table.n.sum() == 4000
    left, right = figures.hardness(table).axes
    np.testing.assert_allclose(left.lines[1].get_ydata(), table.accuracy)
    np.testing.assert_allclose(right.lines[0].get_ydata(), table.seconds)
    assert (np.diff(table.accuracy) < 0).all()
    assert (np.diff(table.seconds) > 0).all()
    _, table = figures.variety(("dog",), each=2, size=8)
    assert list(table.id) == ["dog/train0", "dog/train1"]
    plt.close("all")
