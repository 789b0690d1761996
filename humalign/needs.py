"""What each notebook needs in a profile, what of it is missing, and cells that say so where they cannot run.

The needs are declared in ``needs.toml``. :func:`notice` shows them at the top of a notebook. In the profiles slice and
full it also installs a guard: a cell that meets missing data is replaced by a note that names what is missing and the
command that gets it, and so are the cells that need its results; all other cells run. Any other error ends the run.
"""

from __future__ import annotations

import ast
import html
import re
import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources

from .config import Profile, get_profile
from .errors import InputError, MissingData

KEYS = {"data", "also", "features", "layers", "probing", "drawn", "recorded", "elsewhere", "real", "like"}
MISSED = "humalign-missed"  # metadata that marks the note of a cell that could not run
NEEDS = "humalign-needs"  # metadata that marks the notice of a profile other than mini


@dataclass(frozen=True)
class Needs:
    """What one notebook needs in one profile; see ``needs.toml``."""

    notebook: str
    profile: str
    data: tuple[str, ...] = ()
    also: tuple[str, ...] = ()
    features: tuple[str, ...] = ()
    layers: bool = False
    probing: bool = False
    drawn: str = ""
    recorded: str = ""
    elsewhere: str = ""
    real: bool = False


@cache
def _file() -> dict:
    return tomllib.loads(resources.files(__package__).joinpath("needs.toml").read_text("utf8"))


def notebooks() -> list[str]:
    """Notebooks whose needs are declared."""
    return sorted(_file())


def needs(profile, notebook: str) -> Needs:
    """What a notebook needs in a profile.

    Parameters
    ----------
    profile : Profile or str
    notebook : str
        Its name without suffix.

    Raises
    ------
    InputError
        For a notebook without declared needs, or an unknown key in ``needs.toml``.
    """
    name = getattr(profile, "name", profile)
    if name == "mini":  # nothing is read, so that the page does not depend on this file
        return Needs(notebook, "mini")
    if notebook not in _file():
        raise InputError(
            f"the needs of the notebook '{notebook}' are not declared", "needs.toml", f"known: {', '.join(notebooks())}"
        )
    said = dict(_file()[notebook].get(name, {}))
    if "like" in said:
        said = {**_file()[notebook][said.pop("like")], **said}
    if unknown := sorted(set(said) - KEYS):
        told = f"[{notebook}.{name}] has unknown keys {', '.join(unknown)}"
        raise InputError(told, "needs.toml", f"use {', '.join(sorted(KEYS))}")
    lists = {key: tuple(said[key]) for key in ("data", "also", "features") if key in said}
    return Needs(notebook, name, **{**said, **lists})


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
    wanted, out = needs(profile, notebook), []
    for name in (*wanted.data, *wanted.also):
        from .data import registry

        one = registry.entry(name, profile.name)
        here = profile.data is not None and not one.missing(profile.data)
        size = f", {one.size}" if one.size and one.bytes else ""
        form = f"; by hand: {one.by_hand}" if one.by_hand and not here else ""
        out.append(Line(f"{name} ({one.title}{size}{form})", here, f"humalign data fetch {name}", name in wanted.also))
    for name in wanted.features:
        out.append(_features(profile, name, optional=name != wanted.features[0]))
    return [*out, _between(profile)] if wanted.layers else out


def _between(profile: Profile) -> Line:
    """Layers along the depth of networks, which one extraction has to name."""
    from .chapters import representation_comparison as comparison
    from .features import shards
    from .source import open_source

    source = open_source(profile)
    pictures, found = source.shown("things"), comparison.between(source)
    told = f"features of {len(found)} networks for {pictures} that hold layers between input and penultimate"
    stages = shards.command("MODEL", pictures, layers="$(humalign models MODEL --stages)")
    return Line(told, bool(found), stages, optional=True)


def _features(profile: Profile, dataset: str, optional: bool) -> Line:
    from . import zoo
    from .features import shards
    from .source import open_source

    source, table = open_source(profile), zoo.table("full")
    pictures, found = source.shown(dataset), source.models(dataset)
    public = int(table["public"].astype(bool).sum())
    told = f"features of {len(found)} networks for {pictures} ({len(table)} in the table, {public} with public weights)"
    if refused := source.refused(dataset):
        told += f"; not used: {', '.join(refused)}"
    return Line(told, bool(found), shards.command("MODEL", pictures), optional)


class Notice:
    """What a notebook needs and what is missing, for people; shows itself as Markdown, HTML or text."""

    def __init__(self, profile: Profile, notebook: str):
        self.profile, self.notebook, self.needs = profile, notebook, needs(profile, notebook)
        self.lines, self.rehearsal = lines(profile, notebook), False
        if profile.name != "mini":
            from .data import registry

            self.rehearsal = registry.rehearsal(profile.data)

    @property
    def missing(self) -> list[Line]:
        """Required things that are not there."""
        return [line for line in self.lines if not line.here and not line.optional]

    def sentences(self) -> list[str]:
        """The notice as plain lines."""
        name, asked = self.profile.name, self.needs
        if name == "mini":
            return ["Profile mini: the drawn world. Nothing is fetched, nothing is missing."]
        if asked.drawn:
            return [f"Profile {name}: this page shows {asked.drawn}, as in every profile."]
        if asked.elsewhere and not asked.data:
            return [f"Profile {name}: this page has nothing to show, {asked.elsewhere}."]
        out = [f"Profile {name}. Text that speaks of drawn pictures and people describes the profile mini."]
        if asked.real:
            out = ["This page reads real data in every profile, where they are at hand."]
        if asked.elsewhere:
            out.append(f"Of the answers nothing can be shown: {asked.elsewhere}.")
        if self.rehearsal:
            out.append("Rehearsal: tiny made-up files and untrained networks; no number on this page means anything.")
        if self.missing:
            instead = asked.recorded or "notes in place of the figures that need them"
            out.append(f"Missing: {len(self.missing)} of {len(self.lines)} things; the page shows {instead}.")
        gone = [line for line in self.lines if not line.here]
        if not gone:
            out.append("Everything is there.")
        else:
            out.append(f"Costs: humalign plan --profile {name} --notebook {self.notebook}")
        return out

    def _items(self) -> list[tuple[str, str, str]]:
        state = {True: "there", False: "missing"}
        return [
            (state[x.here] + (", optional" if x.optional and not x.here else ""), x.what, "" if x.here else x.get)
            for x in self.lines
        ]

    def __repr__(self) -> str:
        items = [f"  {state}: {what}" + (f"\n    {get}" if get else "") for state, what, get in self._items()]
        return "\n".join([*self.sentences(), *items])

    def _repr_mimebundle_(self, include=None, exclude=None):
        said, items = self.sentences(), self._items()
        if not items:
            text = " ".join(said)
            mark = {} if self.profile.name == "mini" else {NEEDS: {"profile": self.profile.name, "missing": []}}
            data = {
                "text/html": f'<p class="ha-needs"><small>{html.escape(text)}</small></p>',
                "text/markdown": f"{{.ha-needs}}\n{_plain(text)}\n",
                "text/plain": text,
            }
            return data, mark
        rows = [f"- **{state}**: {_plain(what)}" + (f"  \n  `{get}`" if get else "") for state, what, get in items]
        recorded = bool(self.missing and self.needs.recorded)  # nothing is lost: folded, so that the page comes first
        kind = "note dropdown" if recorded else "warning" if self.missing else "note"
        mark = {NEEDS: {"profile": self.profile.name, "missing": [line.what for line in self.missing]}}
        title = "What this page needs" + (": something is missing" if self.missing else "")
        title += f"; it shows {self.needs.recorded}" if recorded else ""
        body = "\n".join(f"{_plain(line)}  " for line in said)
        ways = [f"<br><code>{html.escape(get)}</code>" if get else "" for *_, get in items]
        cells = "".join(
            f"<li><b>{state}</b>: {html.escape(what)}{way}</li>" for (state, what, _), way in zip(items, ways)
        )
        data = {
            "text/html": f"<div><b>{title}</b><p>{'<br>'.join(map(html.escape, said))}</p><ul>{cells}</ul></div>",
            "text/markdown": f":::{{admonition}} {title}\n:class: {kind}\n{body}\n\n" + "\n".join(rows) + "\n:::\n",
            "text/plain": repr(self),
        }
        return data, mark


def _plain(text: str) -> str:
    """Text whose characters mean nothing to MyST."""
    return re.sub(r"([\\`*_{}\[\]<>|$#~])", r"\\\1", text)


def notice(profile=None, notebook: str = "") -> Notice:
    """What a notebook needs, and what of it is missing: let it be the last line of a cell near the top.

    Parameters
    ----------
    profile : Profile or str, optional
        Default: from the environment, for pages without that parameter.
    notebook : str
        Its name without suffix.

    Notes
    -----
    In slice and full, the following cells are guarded, see the module.
    """
    profile = profile if isinstance(profile, Profile) else get_profile(profile)
    said = Notice(profile, notebook)
    if profile.name != "mini":
        guard()
    return said


# ---- cells that cannot run -----------------------------------------------------------------------------------------


class Missed:
    """The note in place of the output of a cell that needs what is missing; keeps the label of its table."""

    def __init__(self, reason: str, label: str = ""):
        self.reason, self.label = reason, label

    def __repr__(self) -> str:
        return f"Not computed: {self.reason}"

    def _repr_mimebundle_(self, include=None, exclude=None):
        text = _plain(f"Not computed: {self.reason}")
        markdown = f":::{{admonition}} Not computed\n:class: warning\n{_plain(self.reason)}\n:::\n"
        if self.label:
            markdown = f":::{{table}} Not computed\n:name: {self.label}\n\n| missing |\n| :-- |\n| {text} |\n:::\n"
        data = {
            "text/html": f"<p><b>Not computed</b>: {html.escape(self.reason)}</p>",
            "text/markdown": markdown,
            "text/plain": repr(self),
        }
        return data, {MISSED: {"reason": self.reason}}


class Guard(ast.NodeTransformer):
    """Wraps each cell: MissingData, or a name that a missed cell would have made, becomes a :class:`Missed` note."""

    def __init__(self, shell):
        self.shell, self.cells, self.gone = shell, [], {}

    def visit(self, tree):
        """Wrap the body of one cell."""
        if not isinstance(tree, ast.Module) or not tree.body:
            return tree
        made = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
        made |= {n.name for n in tree.body if isinstance(n, (ast.FunctionDef, ast.ClassDef))}
        imported = {(a.asname or a.name).split(".")[0] for n in tree.body for a in getattr(n, "names", ())
                    if isinstance(n, (ast.Import, ast.ImportFrom))}  # fmt: skip
        texts = [n.value for n in ast.walk(tree) if isinstance(n, ast.Constant) and isinstance(n.value, str)]
        label = next((t for t in texts if re.fullmatch(r"tab-[\w-]+", t)), "")
        self.cells.append((made, imported, label))
        number, body = len(self.cells) - 1, list(tree.body)
        if isinstance(body[-1], ast.Expr):
            body[-1] = ast.Expr(_call("_humalign_show", body[-1].value))
        missed = _call("_humalign_missed", ast.Name("_humalign_error", ast.Load()), ast.Constant(number))
        check = ast.If(ast.UnaryOp(ast.Not(), missed), [ast.Raise()], [])
        handler = ast.ExceptHandler(ast.Name("Exception", ast.Load()), "_humalign_error", [check])
        clear = ast.Expr(_call("_humalign_made", ast.Constant(number)))
        wrapped = ast.Try(body, [handler], [clear], [])
        ast.copy_location(wrapped, body[0])
        tree.body = [ast.fix_missing_locations(wrapped)]
        return tree

    def missed(self, error: BaseException, number: int) -> bool:
        """Whether the error of a cell means missing data; then its names go and a note is shown."""
        made, imported, label = self.cells[number]
        if isinstance(error, MissingData):
            reason = str(error)
        elif isinstance(error, NameError) and error.name in self.gone:
            reason = self.gone[error.name]
        else:
            return False
        for name in made:
            self.shell.user_ns.pop(name, None)
            self.gone[name] = reason
        self.gone.update({name: reason for name in imported if name not in self.shell.user_ns})
        from IPython.display import display

        display(Missed(reason, label))
        return True

    def made(self, number: int) -> None:
        """A cell ran: its names are there again."""
        made, imported, _ = self.cells[number]
        for name in made | imported:
            self.gone.pop(name, None)


def _call(function: str, *arguments) -> ast.Call:
    return ast.Call(ast.Name(function, ast.Load()), list(arguments), [])


def guard() -> bool:
    """Guard the following cells of the running notebook; False outside of one."""
    import sys

    try:
        from IPython import get_ipython
    except ImportError:
        return False
    shell = get_ipython()
    if shell is None:
        return False
    if not any(isinstance(one, Guard) for one in shell.ast_transformers):
        made = Guard(shell)
        shell.ast_transformers.append(made)
        show = {"_humalign_show": lambda value: sys.displayhook(value)}
        shell.push({"_humalign_missed": made.missed, "_humalign_made": made.made, **show}, interactive=False)
    return True


def fill(notebook) -> int:
    """Give the keys that prose refers to and no cell has glued the text "not known here"; returns how many.

    Parameters
    ----------
    notebook : NotebookNode
        Executed; changed only in the profiles slice and full, where a page may know less than in mini.
    """
    import nbformat

    outputs = [o for cell in notebook.cells for o in cell.get("outputs", [])]
    if not any(NEEDS in o.get("metadata", {}) for o in outputs):
        return 0
    glued = {o.get("metadata", {}).get("scrapbook", {}).get("name") for o in outputs}
    prose = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    wanted = sorted(set(re.findall(r"\{glue:\}`(\w+)`", prose)) - glued)
    if wanted:
        cell = nbformat.v4.new_code_cell("", metadata={"tags": ["remove-cell"]})
        for key in wanted:
            data = {"text/plain": "not known here", "text/html": "<i>not known here</i>"}
            data = {f"application/papermill.record/{kind}": text for kind, text in data.items()}
            name = {"scrapbook": {"name": key, "mime_prefix": "application/papermill.record/"}}
            cell.outputs.append(nbformat.v4.new_output("display_data", data=data, metadata=name))
        notebook.cells.append(cell)
    return len(wanted)
