"""Triplets to look through: pictures, people's answers and networks' answers, sorted by who disagrees with whom."""

from __future__ import annotations

import html

import numpy as np

from . import Game, _part


def disagreement(one: dict) -> list[float]:
    """How far a round is disputed: among people (0: all agree, 1: evenly split), then each network against people.

    A network's number is the share of people who picked something else; 2/3 where it is undecided.
    """
    counts = np.asarray(one["n"], float)
    share = counts / counts.sum()
    entropy = float(-(share[share > 0] * np.log(share[share > 0])).sum() / np.log(3))
    return [entropy, *(float(1 - share[k]) if k >= 0 else 2 / 3 for k in one["net"])]


def triplets(game: Game, sources, most: int = 40) -> str:
    """The rounds of a game that several people answered, as HTML: a list, and with JavaScript a choice of its order.

    Parameters
    ----------
    game : Game
    sources : sequence of str
        Address of each thumbnail, as the page sees it.
    most : int
        Rounds shown: those with most answers.
    """
    data, who = game.data, game.data["who"][1]
    asked = [one for one in data["rounds"] if sum(one["n"]) > 1][:most]
    orders = [f"{who} disagree with each other", *(f"{name} disagrees with {who}" for name in data["networks"])]
    rows = sorted(((disagreement(one), one) for one in asked), key=lambda pair: -pair[0][0])
    items = "".join(_item(scores, one, data, sources) for scores, one in rows)
    options = "".join(f'<option value="{k}">{html.escape(text)}</option>' for k, text in enumerate(orders))
    return (
        f'<style>{_part("play.css")}{_part("browse.css")}</style><div class="ha-play ha-browse">'
        f'<label class="ha-browse-order" hidden>First where <select>{options}</select></label>'
        f"<p>{len(rows)} questions that several {html.escape(who)} answered. Bars: how many picked each picture as the "
        f"odd one; below: which networks did.</p><ol>{items}</ol>"
        f'<div class="ha-play-about">{game.about}</div></div>'
        f"<script>{_part('browse.js')}</script>"
    )


def _item(scores, one, data, sources) -> str:
    total, cells = sum(one["n"]), []
    for place, (picture, n) in enumerate(zip(one["p"], one["n"])):
        label = html.escape(data["pictures"][picture]["label"], quote=True)
        nets = "".join(
            f'<span class="ha-play-chip">{html.escape(name)}</span>'
            for name, pick in zip(data["networks"], one["net"])
            if pick == place
        )
        cells.append(
            f'<div class="ha-play-item"><img class="ha-play-picture" src="{html.escape(sources[picture], quote=True)}" '
            f'alt="{label}" width="256" height="256" loading="lazy"><div class="ha-play-result"><b>{label}</b>'
            f'<div class="ha-play-bar" aria-hidden="true"><i style="width:{100 * n / total:.0f}%"></i></div>'
            f"<span>{n} of {total}</span>{nets}</div></div>"
        )
    sort = " ".join(f"{score:.4f}" for score in scores)
    return f'<li data-scores="{sort}"><div class="ha-play-row">{"".join(cells)}</div></li>'
