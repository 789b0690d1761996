"""Figures of the AligNet chapters draw what their tables hold."""

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from humalign.alignet.optim import learning_rate
from humalign.alignet.settings import PRIMARY
from humalign.chapters import alignet_data, student, teacher_figures
from humalign.chapters import student_figures as figures

MODELS = ("softmax-resnet-m", "softmax-vit-m")


@pytest.fixture(autouse=True)
def _close():
    yield
    plt.close("all")


def drawn(fig):
    fig.canvas.draw()
    return fig.axes


def test_reach_is_the_formula_with_the_schedule_of_the_primary_runs():
    table = student.reach(decays=(0.0, 30.0))
    rates = [learning_rate(k, PRIMARY.lr, PRIMARY.warmup, PRIMARY.steps) for k in range(PRIMARY.steps)]
    for decay, part in table.groupby("decay"):
        assert part["lr"].tolist() == pytest.approx(rates)
        kept = np.cumprod((1 - decay * np.array(rates))[::-1])[::-1]  # share of a step that is left at the end
        assert part["change"].iloc[-1] == pytest.approx(np.dot(rates, np.append(kept[1:], 1)))
    last = table.groupby("decay")["change"].max()
    assert last[30.0] <= 1 / 30
    assert last[0.0] == pytest.approx(sum(rates))
    assert len(drawn(figures.reach(table))) == 2


def test_levels_and_contrasts():
    rows = [
        dict(model=m, stage=s, panel=level, value=0.4, low=0.38, high=0.43, each="0.38 0.4 0.42")
        for m in MODELS for s in ("base", "AligNet", "UnAligNet") for level in ("coarse", "fine", "boundary")
    ]  # fmt: skip
    lines = {"coarse": {"chance": 1 / 3, "people": 0.6}}
    axes = drawn(figures.by_stage(pd.DataFrame(rows), "accuracy", lines))
    assert [t.get_text() for t in axes[-1].get_xticklabels()] == ["ResNet", "ViT"]
    assert {t.get_text() for t in axes[0].texts} == {"chance", "people"}
    # 3 stages and 3 single runs at each of 2 networks x 3 stages
    assert sum(len(c.get_offsets()) for c in axes[0].collections if hasattr(c, "get_sizes")) == 6 + 18
    rows = [
        dict(model=m, value=0.1, low=0.05, high=0.2, detail=d, dataset=n, plus="AligNet", minus="base")
        for n, d in student.MEASURES for m in (*MODELS, "all")
    ]  # fmt: skip
    axes = drawn(figures.contrasts(pd.DataFrame(rows)))
    assert {t.get_text() for t in axes[0].figure.legends[0].get_texts()} == {"ResNet", "ViT", "mean, 95 %"}
    assert len(axes[0].get_yticklabels()) == len(student.MEASURES)


def test_controls_and_diagnosis():
    rows = [{"stage": s, **{f"{k}{e}": 0.5 for k in ("coarse", "boundary", "shot") for e in ("", "_low", "_high")}}
            for s in ("base", "AligNet", "AligNet, decay 0")]  # fmt: skip
    table = pd.DataFrame(rows).assign(coarse_each=["", "0.4 0.6", ""])
    axes = drawn(figures.controls(table, {"coarse": "c", "boundary": "b", "shot": "s"}, {"coarse": {"teacher": 0.7}}))
    labels = {t.get_text() for t in axes[0].get_yticklabels()}
    assert labels == {"before alignment", "AligNet", "AligNet, decay 0"}
    low, high = drawn(figures.trade_off(table, {"shot": "one-shot"}))[0].get_ylim()
    assert high - low >= 0.14
    rows = [
        dict(name=n, detail=d, value=0.4, low=0.3, high=0.5)
        for n in ("base", "decay to zero")
        for d in ("H2/coarse", "seen/boundary")
    ]
    for ax in drawn(figures.mistakes(pd.DataFrame(rows))):
        points = next(c for c in ax.collections if hasattr(c, "get_sizes"))
        assert points.get_offsets().tolist() == [[0.4, 1], [0.4, 0]]
        assert len(set(map(tuple, points.get_facecolors()))) == 2  # the mistake has another colour


def test_teacher_and_sampling():
    measures = ("accuracy", "cross-entropy", "calibration error")
    rows = [dict(kind=k, strength=s, measure=m, value=0.5 + 0.1 * s, low=0.4, high=0.6)
            for k in ("uncertainty", "plain") for s in (0.1, 1.0) for m in measures]  # fmt: skip
    rows += [dict(kind="untransformed", strength=np.nan, measure=m, value=0.4, low=0.4, high=0.4) for m in measures]
    for ax in drawn(teacher_figures.strength_curves(pd.DataFrame(rows))):
        lines = {line.get_label(): line for line in ax.lines}
        assert lines["plain"].get_xydata().tolist() == [[0.1, 0.51], [1.0, 0.6]]
        assert 0.4 in ax.lines[-1].get_ydata()  # the untransformed features
    shown = (*measures, "entropy-disagreement")
    rows = [
        dict(model="n", detail=d, stage=s, measure=m, value=0.5, low=0.4, high=0.6)
        for d in ("held-out", "repeated")
        for s in ("plain", "VICE itself")
        for m in shown
        if d == "repeated" or m != shown[-1]
    ]
    rows.append(
        dict(model="n", detail="repeated", stage="people", measure="accuracy", value=0.6, low=np.nan, high=np.nan)
    )
    found = pd.DataFrame(rows)
    axes = drawn(teacher_figures.dots(found))
    assert [t.get_text() for t in axes[0].get_yticklabels()] == ["VICE itself", "plain"]
    assert {t.get_text() for t in axes[2].texts} == {"chance", "people"}
    axes = drawn(teacher_figures.dots(found, ("calibration error", "entropy-disagreement")))
    assert [ax.get_visible() for ax in axes] == [True, False, True, True]  # no people ask held-out objects again
    frame = pd.DataFrame({"concepts": [1, 2, 3, 3], "superordinates": [1, 1, 1, 2], "s01": 1.0, "s02": 0.5, "s12": 0.0})
    shares = alignet_data.shares({"random": frame})
    assert np.allclose(shares.drop(columns="rule").sum(axis=1), 1)
    assert (shares.drop(columns="rule") == 0.25).all(axis=None)
    bars = drawn(alignet_data.bars(shares))[0].patches
    assert [b.get_width() for b in bars] == pytest.approx([0.25] * 4)
    assert [b.get_x() for b in bars] == pytest.approx([0, 0.25, 0.5, 0.75])  # side by side
    labels = alignet_data.confidences({"random": frame}, {"random": frame})
    labels = labels[labels["teacher"] == "human-aligned"]
    assert labels["share"].sum() == pytest.approx(1)
    line = drawn(alignet_data.confidence(labels))[0].lines[0]
    assert line.get_ydata().tolist() == labels["share"].tolist()
