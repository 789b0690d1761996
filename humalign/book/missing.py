"""Cells that cannot run for want of data: replaced by a note that names what is missing; all other cells run."""

from __future__ import annotations

import ast
import html
import re

from ..errors import MissingData

MISSED = "humalign-missed"  # metadata that marks the note of a cell that could not run
REQUIREMENTS = "humalign-requirements"  # metadata that marks the notice of a profile other than mini


def plain(text: str) -> str:
    """Text whose characters mean nothing to MyST."""
    return re.sub(r"([\\`*_{}\[\]<>|$#~])", r"\\\1", text)


class Missed:
    """The note in place of the output of a cell that needs what is missing; keeps the label of its table."""

    def __init__(self, reason: str, label: str = ""):
        self.reason, self.label = reason, label

    def __repr__(self) -> str:
        return f"Not computed: {self.reason}"

    def _repr_mimebundle_(self, **_):
        text = plain(f"Not computed: {self.reason}")
        markdown = f":::{{admonition}} Not computed\n:class: warning\n{plain(self.reason)}\n:::\n"
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
    if not any(REQUIREMENTS in o.get("metadata", {}) for o in outputs):
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
