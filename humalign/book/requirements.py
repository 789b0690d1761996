"""What each notebook requires in a profile, and what of it is missing.

The requirements are declared in ``requirements.toml``. :func:`notice` shows them at the top of a notebook. In the
profiles slice and full, and for studies of the reader's own, it also installs a guard (:mod:`humalign.book.missing`): a
cell that meets missing data is replaced by a note that names what is missing and the command that gets it, and so are
the cells that need its results; all other cells run. Any other error ends the run.
"""

from __future__ import annotations

import html
import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources

from ..config import OWN, Profile, get_profile
from ..errors import InputError
from ..roles import ROLES
from .missing import REQUIREMENTS, guard, plain

LISTS = ("data", "also", "features", "simulated")
KEYS = {*LISTS, "layers", "students", "probing", "drawn", "recorded", "elsewhere", "real", "like"}


@dataclass(frozen=True)
class Requirements:
    """What one notebook needs in one profile; see ``requirements.toml``."""

    notebook: str
    profile: str
    data: tuple[str, ...] = ()
    also: tuple[str, ...] = ()
    features: tuple[str, ...] = ()
    layers: bool = False
    students: bool = False
    simulated: tuple[str, ...] = ()
    probing: bool = False
    drawn: str = ""
    recorded: str = ""
    elsewhere: str = ""
    real: bool = False


@cache
def _file() -> dict:
    return tomllib.loads(resources.files(__package__).joinpath("requirements.toml").read_text("utf8"))


def notebooks() -> list[str]:
    """Notebooks whose requirements are declared."""
    return sorted(_file())


def of_notebook(profile, notebook: str) -> Requirements:
    """What a notebook needs in a profile.

    Parameters
    ----------
    profile : Profile or str
    notebook : str
        Its name without suffix.

    Raises
    ------
    InputError
        For a notebook without declared requirements, or an unknown key in ``requirements.toml``.
    """
    profile = profile if isinstance(profile, Profile) else Profile(profile)
    name = profile.name
    if profile.kind == "drawn":  # nothing is read, so that the page does not depend on this file
        return Requirements(notebook, name)
    if notebook not in _file():
        raise InputError(
            f"the requirements of the notebook '{notebook}' are not declared",
            "requirements.toml",
            f"known: {', '.join(notebooks())}",
        )
    own = profile.kind == OWN
    said = dict(_file()[notebook].get("full" if own else name, {}))
    if "like" in said:
        said = {**_file()[notebook][said.pop("like")], **said}
    if own:  # studies of the owner play the roles, in place of published data sets
        roles = [one for one in said.get("features", ()) if ROLES[one].file]
        asked = bool(roles) and roles[0] == said["features"][0]
        said = {key: value for key, value in said.items() if key not in (*LISTS, "students")}
        said |= {"drawn": said["recorded"]} if "recorded" in said else {"features": roles} if asked else {}
    if unknown := sorted(set(said) - KEYS):
        told = f"[{notebook}.{name}] has unknown keys {', '.join(unknown)}"
        raise InputError(told, "requirements.toml", f"use {', '.join(sorted(KEYS))}")
    lists = {key: tuple(said[key]) for key in LISTS if key in said}
    return Requirements(notebook, name, **{**said, **lists})


@dataclass(frozen=True)
class Line:
    """One thing a notebook needs: what, whether it is there, and how to get it."""

    what: str
    here: bool
    get: str = ""
    optional: bool = False


def lines(profile: Profile, notebook: str) -> list[Line]:
    """Everything a notebook needs, thing by thing.

    Parameters
    ----------
    profile : Profile
    notebook : str
    """
    wanted, out = of_notebook(profile, notebook), []
    for name in (*wanted.data, *wanted.also):
        from ..data import registry

        one = registry.entry(name, profile.name)
        here = profile.data is not None and not one.missing(profile.data)
        if not here and (taken := _instead(profile, name)):
            out.append(Line(f"{name} ({one.title}): {taken} takes its place", True, optional=name in wanted.also))
            continue
        size = f", {one.size}" if one.size and one.bytes else ""
        form = f"; by hand: {one.by_hand}" if one.by_hand and not here else ""
        out.append(Line(f"{name} ({one.title}{size}{form})", here, f"humalign data fetch {name}", name in wanted.also))
    if wanted.students:
        out.append(_students(profile, wanted.features, optional=bool(wanted.data)))
    for name in wanted.features:
        out.append(_features(profile, name, optional=name != wanted.features[0] or not wanted.data))
    return list(dict.fromkeys([*out, _between(profile)] if wanted.layers else out))


def _instead(profile: Profile, name: str) -> str:
    """The data set that plays a role in the place of another one that is not at hand; "" where there is none."""
    from ..data import registry

    if profile.data is None:
        return ""
    playing = [names for one in ROLES.values() for names in (one.pictures, one.people, one.repeated) if names]
    after = {first: others for first, *others in playing}
    return next((n for n in after.get(name, ()) if not registry.entry(n).missing(profile.data)), "")


def _between(profile: Profile) -> Line:
    """Layers along the depth of networks, which one extraction has to name."""
    from ..chapters import representation_comparison as comparison
    from ..features import shards
    from ..source import open_source

    source = open_source(profile)
    pictures, found = source.shown("things"), comparison.between(source)
    told = f"features of {len(found)} networks for {pictures} that hold layers between input and penultimate"
    stages = shards.command("MODEL", pictures, layers="$(humalign models MODEL --stages)")
    return Line(told, bool(found), stages, optional=True)


def _students(profile: Profile, roles, optional: bool) -> Line:
    """Released networks after alignment: those with features of the pictures of some roles."""
    from ..chapters import released
    from ..source import open_source

    source = open_source(profile)
    here = {model for role in roles for model in source.models(role)}
    known = released.students(source)
    found = known[known.index.isin(here) & (known["state"] == "AligNet")]
    told = f"features of {len(found)} released networks after alignment"
    get = "humalign data fetch --tier paper2, then humalign extract --tier paper2"
    return Line(told, bool(len(found)), get, optional)


def _features(profile: Profile, dataset: str, optional: bool) -> Line:
    from .. import zoo
    from ..features import shards
    from ..source import open_source

    source, table = open_source(profile), zoo.table("full")
    if source.kind == OWN:
        role, told = source.role(dataset), source.missing(dataset, features=True)
        if source.missing(dataset):
            what = f"{role.title.partition(' (')[0]}: {'a further' if optional else 'a'} study with {role.file}"
        else:
            what = f"{role.title}: {told or 'features of ' + ', '.join(source.models(dataset))}"
        return Line(what, not told, "", optional)
    pictures, found = source.shown(dataset), source.models(dataset)
    public = int(table["public"].astype(bool).sum())
    told = f"features of {len(found)} networks for {pictures} ({len(table)} in the table, {public} with public weights)"
    if refused := source.refused(dataset):
        told += f"; not used: {', '.join(refused)}"
    return Line(told, bool(found), shards.command("MODEL", pictures), optional)


class Notice:
    """What a notebook needs and what is missing, for people; shows itself as Markdown, HTML or text."""

    def __init__(self, profile: Profile, notebook: str):
        self.profile, self.notebook, self.asked = profile, notebook, of_notebook(profile, notebook)
        self.lines, self.rehearsal = lines(profile, notebook), False
        if not self.complete:
            from ..data import registry

            self.rehearsal = registry.rehearsal(profile.data)

    @property
    def complete(self) -> bool:
        """Whether nothing can be missing: all of it is drawn."""
        return self.profile.kind == "drawn"

    @property
    def missing(self) -> list[Line]:
        """Required things that are not there."""
        return [line for line in self.lines if not line.here and not line.optional]

    def ribbon(self) -> tuple[str, str]:
        """Whose judgments the page is about: a class of style, and words."""
        asked = self.asked
        instead = asked.recorded if self.missing else ""
        if self.complete or (asked.drawn and not asked.real) or "drawn world" in instead:
            return "simulated", "Simulated observers"
        return ("simulated", "Made-up files") if self.rehearsal else ("people", "Real people")

    def sentences(self) -> list[str]:
        """The notice as plain lines."""
        name, asked, own = self.profile.name, self.asked, self.profile.kind == OWN
        whose = f"Studies in the folder {self.profile.data.name}" if own else f"Profile {name}"
        if self.complete:
            return [f"{whose}: the drawn world of this book. Nothing is fetched, nothing is missing."]
        if asked.drawn:
            return [f"{whose}: this page shows {asked.drawn}, as in every profile."]
        if asked.elsewhere and not asked.data:
            return [f"{whose}: this page has nothing to show, {asked.elsewhere}."]
        out = [f"{whose}. Text that speaks of drawn pictures and people describes the profile mini."]
        if asked.real:
            out = ["This page reads real data in every profile, where they are on this machine."]
        if asked.elsewhere:
            out.append(f"Of the answers nothing can be shown: {asked.elsewhere}.")
        if self.rehearsal:
            out.append("Rehearsal: tiny made-up files and untrained networks; no number on this page means anything.")
        if self.missing:
            instead = asked.recorded or "notes in place of the figures that need them"
            out.append(f"Missing: {len(self.missing)} of {len(self.lines)} things; the page shows {instead}.")
        if asked.simulated and not self.missing:
            out.append(f"Of the drawn world in every profile: {', '.join(asked.simulated)}.")
        out += self.standing_in()
        gone = [line for line in self.lines if not line.here]
        if not gone:
            out.append("Everything is there.")
        elif own:
            out.append("The layout of a study: python -m pydoc humalign.data.plain")
        else:
            out.append(f"Costs: humalign plan --profile {name} --notebook {self.notebook}")
        return out

    def standing_in(self) -> list[str]:
        """What stands in for published files on this page, a sentence each."""
        if self.profile.kind == "drawn" or not self.asked.features:
            return []
        from ..source import open_source

        source = open_source(self.profile)
        return [line for role in self.asked.features if role == "things" for line in source.standing_in(role)]

    def _items(self) -> list[tuple[str, str, str]]:
        state = {True: "there", False: "missing"}
        return [
            (state[x.here] + (", optional" if x.optional and not x.here else ""), x.what, "" if x.here else x.get)
            for x in self.lines
        ]

    def __repr__(self) -> str:
        items = [f"  {state}: {what}" + (f"\n    {get}" if get else "") for state, what, get in self._items()]
        return "\n".join([*self.sentences(), *items])

    def _repr_mimebundle_(self, **_):
        said, items = self.sentences(), self._items()
        kind, ribbon = self.ribbon()
        if not items:
            text = " ".join(said)
            mark = {} if self.complete else {REQUIREMENTS: {"profile": self.profile.name, "missing": []}}
            data = {
                "text/html": f'<p class="ha-ribbon ha-{kind}"><b>{ribbon}</b>: {html.escape(text)}</p>',
                "text/markdown": f"{{.ha-ribbon .ha-{kind}}}\n**{ribbon}**: {plain(text)}\n",
                "text/plain": text,
            }
            return data, mark
        rows = [f"- **{state}**: {plain(what)}" + (f"  \n  `{get}`" if get else "") for state, what, get in items]
        recorded = bool(self.missing and self.asked.recorded)
        look = "warning" if self.missing and not recorded else "note dropdown"  # folded where nothing is lost
        mark = {REQUIREMENTS: {"profile": self.profile.name, "missing": [line.what for line in self.missing]}}
        title = "What this page needs" + (": something is missing" if self.missing else "")
        title += f"; it shows {self.asked.recorded}" if recorded else ""
        body = "\n".join(f"{plain(line)}  " for line in said)
        ways = [f"<br><code>{html.escape(get)}</code>" if get else "" for *_, get in items]
        cells = "".join(
            f"<li><b>{state}</b>: {html.escape(what)}{way}</li>" for (state, what, _), way in zip(items, ways)
        )
        data = {
            "text/html": f"<div><b>{title}</b><p>{'<br>'.join(map(html.escape, said))}</p><ul>{cells}</ul></div>",
            "text/markdown": f"{{.ha-ribbon .ha-{kind}}}\n**{ribbon}**\n\n"
            + f":::{{admonition}} {title}\n:class: {look}\n{body}\n\n"
            + "\n".join(rows)
            + "\n:::\n",
            "text/plain": repr(self),
        }
        return data, mark


def notice(profile=None, notebook: str = "") -> Notice:
    """What a notebook needs, and what of it is missing: let it be the last line of a cell near the top.

    Parameters
    ----------
    profile : Profile, str or path, optional
        Default: from the environment, for pages without that parameter.
    notebook : str
        Its name without suffix.

    Raises
    ------
    InputError
        For what is neither a profile nor a folder with studies.

    Notes
    -----
    In every profile but mini, the following cells are guarded, see the module.
    """
    profile = profile if isinstance(profile, Profile) else get_profile(profile)
    said = Notice(profile, notebook)
    if not said.complete:
        guard()
    return said
