"""The repository has the shape that its pages and tools rely on."""

import ast
import importlib.util
import pydoc
import re
import subprocess
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.parametrize("name", ["_config.yml", "_toc.yml"])
def test_book_links_to_the_top(name):
    hint = "the clone holds text instead of a link; clone with: git clone -c core.symlinks=true"
    assert (ROOT / "book" / name).resolve() == ROOT / name, hint


@pytest.mark.parametrize(
    "name",
    [
        "book",
        "notebooks",
        "humalign",
        "tests",
        "environment.yml",
        "README.md",
        "pyproject.toml",
        "constraints.txt",
        "Makefile",
        "LICENSE",
        "CITATION.cff",
        ".ci/run",
    ],
)
def test_top_level(name):
    assert (ROOT / name).exists()


def toc_files():
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text("utf8"))
    return [toc["root"], *(chapter["file"] for part in toc["parts"] for chapter in part["chapters"])]


@pytest.mark.parametrize("page", toc_files())
def test_pages_of_the_toc_exist(page):
    folder = ROOT if page.startswith("notebooks/") else ROOT / "book"
    assert (folder / f"{page}.md").is_file()


@pytest.mark.parametrize("source", sorted((ROOT / "notebooks").glob("*.md")), ids=lambda path: path.stem)
def test_notebooks_have_parameters_and_are_in_the_toc(source):
    from humalign.book.run import default_parameters

    assert default_parameters(source), "no cell is tagged 'parameters'"
    assert f"notebooks/{source.stem}" in toc_files()


PROSE = sorted({*ROOT.glob("*.md"), *ROOT.glob("book/*.md"), *ROOT.glob("notebooks/*.md")} - {ROOT / "CHANGELOG.md"})


@pytest.mark.parametrize("page", PROSE, ids=lambda path: path.name)
def test_files_and_names_in_prose_exist(page):
    text = page.read_text("utf8")
    files = re.findall(r"`((?:humalign|tests|benchmarks)/[\w./-]+)`", text)
    names = sorted(set(re.findall(r"\bhumalign(?:\.\w+)+", text)))
    assert [file for file in files if "NAME" not in file and not (ROOT / file).exists()] == []
    assert [name for name in names if pydoc.locate(name) is None] == []


STATISTICS = {"mean", "median", "std", "sum", "quantile", "corr", "groupby", "pivot", "pivot_table"}
LOGIC = (ast.For, ast.While, ast.If, ast.IfExp, ast.FunctionDef, ast.Lambda, ast.Compare, ast.comprehension)


@pytest.mark.parametrize("source", sorted((ROOT / "notebooks").glob("*.md")), ids=lambda path: path.stem)
def test_notebooks_hold_no_logic(source):
    if source.stem == "start":
        pytest.skip("shows its arithmetic on purpose")
    import jupytext

    found = [
        ast.unparse(node)
        for cell in jupytext.read(source).cells
        if cell.cell_type == "code" and "solution" not in cell.metadata.get("tags", ())  # what readers would write
        for node in ast.walk(ast.parse(cell.source))
        if isinstance(node, LOGIC) or (isinstance(node, ast.Attribute) and node.attr in STATISTICS)
    ]
    assert not found, "belongs into a function of humalign.chapters"


@pytest.mark.parametrize("source", sorted((ROOT / "notebooks").glob("*.md")), ids=lambda path: path.stem)
def test_notebooks_use_what_they_import(source):
    import jupytext

    nodes = [
        node
        for cell in jupytext.read(source).cells
        if cell.cell_type == "code"
        for node in ast.walk(ast.parse(cell.source))
    ]
    imports = [alias for node in nodes if isinstance(node, (ast.Import, ast.ImportFrom)) for alias in node.names]
    used = {node.id for node in nodes if isinstance(node, ast.Name)}
    assert [alias.name for alias in imports if (alias.asname or alias.name.partition(".")[0]) not in used] == []


def committed():
    names = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True)
    if names.returncode:
        pytest.skip("not a git clone")
    return [ROOT / name for name in names.stdout.split("\0") if name and (ROOT / name).is_file()]


def test_no_path_of_a_machine_is_committed():
    # built at run time, so that this file does not match itself
    pattern = re.compile(
        "(?<![\\w.$])/("
        + "|".join(["ro" + "ot", "ho" + "me/[a-z]+", "wo" + "rk", "Us" + "ers/[a-z]+"])
        + ")/[A-Za-z0-9_.-]+"
    )
    found = []
    for path in committed():
        if path.suffix in {".safetensors", ".png", ".npz"}:
            continue
        for number, line in enumerate(path.read_text("utf8", errors="replace").splitlines(), 1):
            if match := pattern.search(line):
                found.append(f"{path.relative_to(ROOT)}:{number}: {match[0]}")
    assert not found, found


def test_executed_notebooks_are_not_committed():
    names = [path.relative_to(ROOT).as_posix() for path in committed()]
    assert not [
        name for name in names if name.startswith(("book/notebooks/", "book/_build/")) or name.endswith(".ipynb")
    ]


def test_light_import():
    """The command line and the build start without torch."""
    code = "import sys, humalign.cli, humalign.book.sphinx; sys.exit('torch' in sys.modules or 'pandas' in sys.modules)"
    import sys

    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0


def test_imports_run_one_way():
    from importlinter.cli import lint_imports

    assert lint_imports(config_filename=str(ROOT / "pyproject.toml"), no_cache=True) == 0


PACKAGE = sorted((ROOT / "humalign").rglob("*.py"))


def _names_a_profile(node) -> bool:
    from humalign.config import PROFILES

    return isinstance(node, ast.Constant) and node.value in PROFILES


def comparisons_with_profiles(text: str) -> list[int]:
    """Lines of comparisons with the name of a profile, those of the source of a network (zoo) or a kind left out."""
    found = []
    for node in ast.walk(ast.parse(text)):
        parts = [node.left, *node.comparators] if isinstance(node, ast.Compare) else []
        parts = [one for part in parts for one in (part.elts if isinstance(part, (ast.Tuple, ast.Set)) else [part])]
        others = [ast.unparse(part) for part in parts if not _names_a_profile(part)]
        if len(others) < len(parts) and not any(re.search(r"\b(source|kind)\b['\]]*$", one) for one in others):
            found.append(node.lineno)
        if any(re.search(r"profile\.name$", one) for one in others):
            found.append(node.lineno)
        if isinstance(node, ast.match_case) and any(map(_names_a_profile, ast.walk(node.pattern))):
            found.append(node.pattern.lineno)
    return found


def test_only_the_source_asks_which_profile():
    asked = {path.relative_to(ROOT / "humalign").as_posix() for path in PACKAGE
             if comparisons_with_profiles(path.read_text("utf8"))}  # fmt: skip
    assert asked <= {"source.py", "config.py"}
    for line in ('profile.name == "mini"', 'name in (None, "full")', "self.profile.name != OWN"):
        assert comparisons_with_profiles(line), line
    for line in ('row["source"] == "mini"', 'source.kind == "own"', 'table(profile="mini")'):
        assert not comparisons_with_profiles(line), line


@pytest.mark.parametrize("path", PACKAGE, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_imports_inside_functions_exist_too(path):
    inside = ["humalign", *path.relative_to(ROOT / "humalign").with_suffix("").parts]
    for node in ast.walk(ast.parse(path.read_text("utf8"))):
        if isinstance(node, ast.ImportFrom) and node.level:
            whole = ".".join([*inside[: len(inside) - node.level], *filter(None, [node.module])])
            module = importlib.import_module(whole)
            for name in (alias.name for alias in node.names if not hasattr(module, alias.name)):
                assert importlib.util.find_spec(f"{whole}.{name}"), f"line {node.lineno}: {whole} has no {name}"


PUBLIC = """
similarity.similarity_matrix odd_one_out.choices odd_one_out.accuracy odd_one_out.probabilities odd_one_out.entropy
odd_one_out.noise_ceiling calibration.expected_calibration_error rsa.rdm rsa.compare rsa.cka probing.partition
probing.loss probing.fit probing.cross_validate probing.LinearTransform concepts.attribute alignet.losses.kl
alignet.losses.jsd alignet.losses.contrastive data.row_orders.detect source.open_source
"""


@pytest.mark.parametrize("name", PUBLIC.split())
def test_public_names_stay_and_stand_in_the_reference(name):
    found, text = pydoc.locate(f"humalign.{name}"), (ROOT / "book/api.md").read_text("utf8")
    assert found is not None, name
    assert len(found.__doc__.splitlines()) > 3
    module, _, last = name.rpartition(".")
    block = rf"humalign\.{re.escape(module)}(\.{last}\n|\n   :members:.*\b{last}\b)"
    assert re.search(block, text), f"{name} is not in book/api.md"
