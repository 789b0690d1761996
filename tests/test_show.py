"""What notebooks show: numbers with provenance, tables, figures with their CSV, a palette that is told apart."""

import itertools
import re
from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex, to_rgb

matplotlib.use("Agg")

from humalign import results, show
from humalign.book.pages import DARK
from humalign.chapters.claims import COLOURS
from humalign.errors import InputError
from humalign.plots import panels, style


def test_number_in_all_three_forms():
    number = show.number(0.6722, (0.66, 0.687), "published", 'Hebart "2020"', digits=2)
    shown = number._repr_mimebundle_()
    assert shown["text/plain"] == "0.67 [0.66, 0.69] [published]"
    assert 'class="ha-badge ha-published"' in shown["text/html"]
    assert "Hebart &quot;2020&quot;" in shown["text/html"]


def test_number_without_interval_and_with_unit():
    assert show.number(-1.5, digits=1, unit=" %").text() == "−1.5 %"
    assert repr(show.number(1854, provenance="recorded")) == "1,854 [recorded]"
    assert show.number(float("nan")).text() == "–"


def test_estimates_follow_the_networks_and_keep_where_they_come_from():
    points = pd.DataFrame({"model": ["a", "b"], "value": [0.5, 0.6], "low": [0.4, 0.5], "high": [0.6, 0.7],
                           "provenance": ["live", "recorded"]})  # fmt: skip
    shown = show.estimates(points, ["b", "a"])
    assert [repr(n) for n in shown] == ["0.600 [0.500, 0.700] [recorded]", "0.500 [0.400, 0.600] [live]"]
    assert results.farthest(points["provenance"]) == "recorded"
    assert results.farthest(["", "live"]) == "live"
    assert (results.farthest([]), results.farthest([""], "live")) == ("", "live")


def test_rounded_zero_has_no_minus():
    assert show.number(-0.0001).text() == "0.000"
    assert show.number(-0.0006).text() == "−0.001"


def test_infinity_is_shown_as_such():
    frame = pd.DataFrame({"nll": [1.5, float("inf"), -float("inf"), float("nan")]})
    assert [line.split()[1] for line in show.table(frame).markdown().splitlines()[2:]] == ["1.500", "∞", "−∞", "–"]


@pytest.mark.parametrize("provenance", sorted(show.PROVENANCE))
def test_every_provenance_has_a_badge_and_a_style(provenance):
    from pathlib import Path

    name = provenance.replace("-", "")
    css = (Path(__file__).parents[1] / "book/_static/humalign.css").read_text("utf8")
    legend = (Path(__file__).parents[1] / "book/provenance.md").read_text("utf8")
    assert f".ha-{name}" in css
    assert show.badge(provenance, markup="markdown") in legend


def test_unknown_provenance_is_refused():
    with pytest.raises(InputError, match="is no provenance"):
        show.number(1, provenance="guessed")


def test_table_markdown_is_safe_and_aligned():
    frame = pd.DataFrame(
        {
            "model": ["vit_b|16", "a*b"],
            "score": [0.12345, np.nan],
            "n": [1000, 2],
            "provenance": ["live", "second-hand"],
        }
    )
    shown = show.table(frame, "tab-x", "A caption\nin two lines", digits=2)._repr_mimebundle_()
    lines = shown["text/markdown"].splitlines()
    assert lines[:2] == [":::{table} A caption in two lines", ":name: tab-x"]
    assert "| :-- | --: | --: | :-- |" in lines
    assert r"| vit\_b\|16 | 0.12 | 1,000 | [live]{.ha-badge .ha-live} |" in lines
    assert r"| a\*b | – | 2 | [second-hand]{.ha-badge .ha-secondhand} |" in lines
    assert "<td>vit_b|16</td>" in shown["text/html"]


def test_table_holds_numbers_and_index():
    frame = pd.DataFrame({"value": [show.number(0.5, (0.4, 0.6), digits=1)]}, index=pd.Index(["a"], name="model"))
    text = show.table(frame, index=True).markdown()
    assert "| a | 0.5 \\[0.4, 0.6\\] [live]{.ha-badge .ha-live} |" in text


def test_figure_data_writes_the_csv_for_the_book(tmp_path, monkeypatch):
    monkeypatch.setenv("HUMALIGN_OUTPUT", str(tmp_path / "data"))
    frame = pd.DataFrame({"model": ["a", "b"], "value": [0.1, 0.2]})
    shown = show.figure_data(frame, "fig-x")._repr_mimebundle_()
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "data" / "fig-x.csv"), frame)
    assert "{download}`fig-x.csv (2 rows) <data/fig-x.csv>`" in shown["text/markdown"]


def test_figure_data_in_jupyter_needs_no_file(tmp_path, monkeypatch):
    import base64
    import re

    monkeypatch.delenv("HUMALIGN_OUTPUT", raising=False)
    shown = show.figure_data(pd.DataFrame({"a": [1]}), "fig-x")._repr_mimebundle_()
    assert "text/markdown" not in shown
    data = re.search(r'href="data:text/csv;base64,([^"]+)"', shown["text/html"])[1]
    assert base64.b64decode(data).decode() == "a\n1\n"


def test_a_figure_of_the_book_is_kept_beside_its_numbers(tmp_path, monkeypatch):
    from IPython import display
    from matplotlib import pyplot as plt

    shown = []
    monkeypatch.setattr(display, "display", shown.append)
    monkeypatch.setenv("HUMALIGN_OUTPUT", str(tmp_path / "data"))
    show.figure(plt.figure(), pd.DataFrame({"a": [1], "provenance": ["recorded"]}), "fig-x")
    assert "recorded earlier: {download}`fig-x.csv (1 row) <data/fig-x.csv>`" in shown[1].markdown()
    assert sorted(path.name for path in (tmp_path / "data").iterdir()) == ["fig-x.csv", "fig-x.svg"]
    monkeypatch.delenv("HUMALIGN_OUTPUT")
    shown.clear()
    show.figure(plt.figure(), pd.DataFrame({"a": [1]}), "fig-x")
    assert [type(one).__name__ for one in shown] == ["SVG", "DownloadLink"]


def test_a_figure_has_a_second_picture_for_a_phone(tmp_path, monkeypatch):
    from IPython import display

    @panels.figure
    def drawn(title):
        fig, axes = panels.axes(2, 1, 3, sharey=True)
        axes[0].set(ylabel="y", title=title)
        return fig

    monkeypatch.setattr(display, "display", lambda _: None)
    monkeypatch.setenv("HUMALIGN_OUTPUT", str(tmp_path))
    show.figure(drawn("a title that is longer than a third of a column, and longer than a phone is wide"), name="fig-x")
    sizes = {}
    for name in ("fig-x", "fig-x.narrow"):
        text = (tmp_path / f"{name}.svg").read_text()
        sizes[name] = [float(v) / 72 for v in re.search(r'width="([\d.]+)pt" height="([\d.]+)pt"', text).groups()]
    assert sizes["fig-x.narrow"][0] <= style.NARROW + 0.05
    assert sizes["fig-x.narrow"][1] > 2 * sizes["fig-x"][1]  # panels lie below each other


def test_svg_is_short_and_says_the_same():
    from matplotlib import pyplot as plt

    fig, ax = plt.subplots()
    ax.scatter([1, 2, 3], [1 / 3, 2 / 3, 1], color="#123456", label="a")
    ax.imshow(np.zeros((4, 4, 3)), extent=(0, 1, 0, 1))
    text = show.svg(fig)
    plt.close(fig)
    assert "data:image/webp;base64," in text
    assert "image/png" not in text
    assert text.count("#123456") <= 3  # not once more for each point
    assert not re.search(r' (x|y|d)="[^"]*\.\d{3}', text)


@pytest.mark.parametrize("name", ["../x", "", "a b", "/x"])
def test_figure_data_refuses_bad_names(name):
    with pytest.raises(InputError):
        show.figure_data(pd.DataFrame({"a": [1]}), name)


# Machado, Oliveira and Fernandes (2009), severity 1.0: what a reader without one cone type sees (linear RGB)
MACHADO = {
    "protan": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
    "deutan": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
    "tritan": np.array(
        [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]]
    ),
}


def _linear(colors) -> np.ndarray:
    rgb = np.array([to_rgb(c) for c in colors])
    return np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)


def simulate(colors, kind: str | None) -> np.ndarray:
    """Linear RGB (n, 3) of colours as seen with a colour deficiency ("protan", "deutan", "tritan"; None: none)."""
    linear = _linear(colors)
    return linear if kind is None else np.clip(linear @ MACHADO[kind].T, 0, 1)


def lab(linear_rgb) -> np.ndarray:
    """CIELAB (n, 3), white point D65, of linear sRGB (n, 3)."""
    to_xyz = np.array(
        [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
    )
    xyz = np.asarray(linear_rgb) @ to_xyz.T / (to_xyz.sum(1))
    f = np.where(xyz > (6 / 29) ** 3, np.cbrt(xyz), xyz / (3 * (6 / 29) ** 2) + 4 / 29)
    return np.stack([116 * f[:, 1] - 16, 500 * (f[:, 0] - f[:, 1]), 200 * (f[:, 1] - f[:, 2])], 1)


def separation(colors, kind: str | None = None) -> np.ndarray:
    """CIELAB distances (n, n) between colours, as seen with a colour deficiency."""
    values = lab(simulate(colors, kind))
    return np.linalg.norm(values[:, None] - values[None], axis=-1)


def test_palette_and_markers_name_the_same_groups():
    assert set(style.PALETTE) == set(style.MARKERS)
    assert len(set(style.MARKERS.values())) == len(style.MARKERS)


def test_machado_matrices_keep_white_and_lab_is_right():
    for kind in MACHADO:
        np.testing.assert_allclose(simulate(["white", "black"], kind), [[1, 1, 1], [0, 0, 0]], atol=2e-3)
    np.testing.assert_allclose(lab(simulate(["white", "red"], None)), [[100, 0, 0], [53.24, 80.09, 67.20]], atol=0.05)


def close_pairs(kind, least):
    groups = [g for g in style.PALETTE if g not in ("Untrained", "People")]
    distance = separation([style.PALETTE[g] for g in groups], kind)
    pairs = itertools.combinations(range(len(groups)), 2)
    return {(groups[i], groups[j]): float(distance[i, j]) for i, j in pairs if distance[i, j] < least}


@pytest.mark.parametrize("kind", [None, *MACHADO])
def test_training_groups_can_be_told_apart(kind):
    """The papers' colours keep a CIELAB distance of 15, but for one pair that deuteranopes see alike."""
    close = close_pairs(kind, 15)
    assert set(close) == ({("Supervised (Ecoset)", "Self-Supervised")} if kind == "deutan" else set())
    assert all(distance > 5 for distance in close.values())


def test_groups_that_look_alike_have_other_markers():
    for kind in MACHADO:
        for a, b in close_pairs(kind, 30):
            assert style.MARKERS[a] != style.MARKERS[b]


def luminance(color):
    return float(simulate([color], None)[0] @ [0.2126, 0.7152, 0.0722])


@pytest.mark.parametrize("page", ["#ffffff", "#121212"])
@pytest.mark.parametrize("color", [style.GREY, style.OUTLINE])
def test_text_and_outlines_show_on_white_and_in_the_dark(color, page):
    low, high = sorted([luminance(color), luminance(page)])
    assert (high + 0.05) / (low + 0.05) >= (3.5 if color == style.GREY else 2)


def variables(theme):
    css = (Path(__file__).parents[1] / "book" / "_static" / "humalign.css").read_text("utf8")
    block = re.search(rf"^html{theme} {{(.*?)}}", css, re.S | re.M)[1]
    return dict(re.findall(r"--ha-([\w]+): (#\w+)", block))


def contrast(color, page):
    low, high = sorted([luminance(color), luminance(page)])
    return (high + 0.05) / (low + 0.05)


def test_colours_of_text_reach_the_contrast_of_guidelines_on_light_and_dark_pages():
    light, dark = variables(""), variables(r'\[data-theme="dark"\]')
    assert contrast(light["ink"], "#ffffff") >= 4.5
    assert contrast(dark["ink"], "#14181e") >= 4.5
    for color in COLOURS.values():  # verdicts are written in their colours, and numbers stand on bars of them
        key = to_hex(color).lstrip("#")
        in_light, in_dark = (light["ink"], dark["ink"]) if color == style.GREY else (color, dark[key])
        assert min(contrast(in_light, "#ffffff"), contrast(in_light, light["paper"])) >= 4.5
        assert min(contrast(in_dark, "#14181e"), contrast(in_dark, dark["paper"])) >= 4.5
    assert set(DARK) <= set(dark)  # every colour that is too dark has a lighter one


def test_numbers_on_colour_can_be_read():
    import seaborn

    for name in ("viridis", "flare", "magma_r"):
        for color in seaborn.color_palette(name, 64):
            assert contrast(style.ink_on(color), color) >= 4.5


def test_points_reference_and_fit():
    import matplotlib.pyplot as plt

    fig, ax = plt.subplots()
    style.points(
        ax, [0, 1, 2], [0, 2, 4], ["Image/Text", "Self-Supervised", "Image/Text"], low=[0, 1, 3], high=[1, 3, 5]
    )
    assert [c.get_label() for c in ax.collections[1:]] == ["Image/Text", "Self-Supervised"]
    assert style.fit_line(ax, [0, 1, 2], [0, 2, 4]) == pytest.approx((2, 0))
    style.reference_line(ax, 1 / 3, "chance")
    assert "chance" in [text.get_text() for text in ax.texts]
    legend = style.group_legend(ax, ["Self-Supervised", "Image/Text"])
    assert [text.get_text() for text in legend.get_texts()] == ["Image/Text", "Self-Supervised"]
    assert np.isnan(style.fit_line(ax, [1], [1])[0])
    plt.close(fig)


def test_svg_is_reproducible_and_transparent(tmp_path):
    import matplotlib.pyplot as plt

    with matplotlib.rc_context():
        style.use()
        for name in ("a.svg", "b.svg"):
            fig, ax = plt.subplots()
            style.points(ax, [0, 1], [0, 1], ["Image/Text", "Supervised (JFT-3B)"])
            fig.savefig(tmp_path / name, metadata={"Date": None})
            plt.close(fig)
    text = (tmp_path / "a.svg").read_text()
    assert text == (tmp_path / "b.svg").read_text()
    assert "fill: #ffffff" not in text
