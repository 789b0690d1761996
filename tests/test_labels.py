"""The label taxonomy covers the world, and noise and captions are what they say."""

import numpy as np
import pytest

from humalign.errors import InputError
from humalign.world import labels
from humalign.world.drawing import world


@pytest.fixture(scope="module")
def images():
    concepts = [c for c in world().concepts for _ in range(16)]
    ids = [f"{c}/train{i}" for i, c in enumerate(concepts)]
    facts = [{"slots": {"A": "red"}, "scene": sorted(world().scenes)[0]} for _ in concepts]
    return ids, concepts, facts


def test_taxonomy_covers_every_drawn_concept():
    assert set(labels.hierarchy()) == set(world().concepts)
    for concept in world().concepts:
        assert concept in world().members(labels.superordinate(concept))
    tops = {labels.top(c) for c in world().concepts}
    assert tops == {"living thing", "food", "artifact", "body part", "natural object"}


def test_hypernyms_are_shared_and_cut_across_superordinates():
    words = {h for c in labels.hierarchy() for h in labels.hypernyms(c)}
    kin = {w: {c for c in labels.hierarchy() if w in labels.hypernyms(c)} for w in words}
    assert all(len(members) > 1 for members in kin.values())
    across = [w for w in words if len({labels.superordinate(c) for c in kin[w]}) > 1]
    assert len(across) > len(words) / 4
    for chain in (labels.hypernyms(c) for c in labels.hierarchy()):
        assert len(set(chain)) == len(chain)


def test_matrix_marks_concept_superordinate_and_hypernyms():
    values, columns = labels.matrix(["tomato", "crown"])
    assert values.shape == (2, len(columns))
    told = {columns[i] for i in np.flatnonzero(values[0])}
    assert {"tomato", "vegetable (superordinate)", "food (hypernym)"} <= told
    assert values[0].sum() == 2 + len(labels.hypernyms("tomato"))
    assert "crown" not in told


@pytest.mark.parametrize("kind", ["concepts", "coarse"])
def test_single_labels_name_the_right_class(images, kind):
    target, names = labels.targets(*images, kind)
    right = images[1] if kind == "concepts" else [labels.superordinate(c) for c in images[1]]
    assert [names[t] for t in target] == list(right)


def test_web_labels_have_the_stated_noise_and_belong_to_ids(images):
    ids, concepts, facts = images
    clean, names = labels.targets(*images, "taxonomy")
    noisy, same = labels.targets(*images, "web")
    assert names == same
    total = clean.sum()
    lost, wrong = 1 - (noisy * clean).sum() / total, (noisy * (1 - clean)).sum() / total
    sd = np.sqrt(0.2 * 0.8 / total)
    assert abs(lost - (labels.DROPPED + labels.WRONG)) < 4 * sd
    assert abs(wrong - labels.WRONG) < 4 * sd
    back = slice(None, None, -1)
    assert np.array_equal(labels.targets(ids[back], concepts[back], facts[back], "web")[0], noisy[::-1])
    assert not np.array_equal(labels.targets(*images, "web", 1)[0], noisy)


def test_captions_have_the_stated_rates(images):
    said = labels.captions(*images)
    n = len(images[0])
    for column, word in enumerate(("name", "hypernym", "colour", "scene")):
        p = labels.CAPTION_WORDS["train"][word]
        extra = 0.15 * 0.5 * 0.6 * 0.7 if word == "hypernym" else 0  # a caption without words gets the hypernym
        assert abs((said.tokens[:, column] > 0).mean() - p - extra) < 4 * np.sqrt(p * (1 - p) / n)
    assert (said.tokens > 0).any(1).all()
    named = said.tokens[:, 0] > 0
    assert all(said.words[t] == c for t, c in zip(said.tokens[named, 0], np.array(images[1])[named]))
    row = int(np.flatnonzero((said.tokens > 0).all(1))[0])
    assert images[1][row] in said.text(row)
    assert said.text(row).startswith("red ")


def test_web_captions_are_noisier(images):
    ids = [i.replace("train", "web") for i in images[0]]
    said = labels.captions(ids, images[1], images[2])
    named = said.tokens[:, 0] > 0
    wrong = np.mean([said.words[t] != c for t, c in zip(said.tokens[named, 0], np.array(images[1])[named])])
    assert abs(wrong - labels.CAPTION_WORDS["web"]["wrong"]) < 4 * np.sqrt(0.05 * 0.95 / named.sum())


def test_bad_input_is_named():
    with pytest.raises(InputError, match="unicorn"):
        labels.hypernyms("unicorn")
    with pytest.raises(InputError, match="label set"):
        labels.names("wrong", ["dog"])
    with pytest.raises(InputError, match="2 ids for 1"):
        labels.targets(["dog/1", "dog/2"], ["dog"], [{}], "concepts")
