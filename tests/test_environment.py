"""environment.yml, pyproject.toml, constraints.txt and the hooks name the same packages."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
CONDA_NAMES = {"pytorch": "torch", "matplotlib-base": "matplotlib"}


def project():
    data = tomllib.loads((ROOT / "pyproject.toml").read_text("utf8"))["project"]
    extras = data["optional-dependencies"]
    lines = [*data["dependencies"], *extras["book"], *extras["test"], *extras["pretrained"]]
    requirements = [Requirement(line) for line in lines]
    return {canonicalize_name(r.name): r.specifier for r in requirements}, SpecifierSet(data["requires-python"])


def conda():
    found = {}
    for entry in yaml.safe_load((ROOT / "environment.yml").read_text("utf8"))["dependencies"]:
        if isinstance(entry, str):
            name, spec = re.fullmatch(r"([\w.-]+)\s*(.*)", entry).groups()
            found[canonicalize_name(CONDA_NAMES.get(name, name))] = SpecifierSet(spec)
        else:
            for line in entry["pip"]:
                if not line.startswith("-"):
                    requirement = Requirement(line)
                    found[canonicalize_name(requirement.name)] = requirement.specifier
    return found


def pins():
    text = (ROOT / "constraints.txt").read_text("utf8")
    return {canonicalize_name(name): version for name, version in re.findall(r"^([\w.-]+)==(\S+)$", text, re.M)}


def test_conda_says_the_same():
    wanted, python = project()
    found = conda()
    assert found.pop("python") == python
    found.pop("pip")
    assert found == wanted


def test_conda_installs_this_package():
    last = yaml.safe_load((ROOT / "environment.yml").read_text("utf8"))["dependencies"][-1]["pip"]
    assert last[-1] == "-e ."


def tools(*groups):
    """What make lint and make release need besides the package's own requirements."""
    found = tomllib.loads((ROOT / "pyproject.toml").read_text("utf8"))["dependency-groups"]
    requirements = [Requirement(line) for group in groups for line in found[group]]
    return {canonicalize_name(r.name): r.specifier for r in requirements}


def every():
    return project()[0] | tools("lint", "release")


@pytest.mark.parametrize("name", sorted(every()))
def test_constraints_satisfy_the_ranges(name):
    assert name in pins(), f"{name} is not pinned in constraints.txt"
    assert every()[name].contains(pins()[name])


def test_constraints_are_public_versions():
    assert not [f"{name}=={version}" for name, version in pins().items() if "+" in version]
    assert not [name for name in pins() if name.startswith(("nvidia", "cuda", "triton"))]


@pytest.mark.parametrize("tool", ["ruff", *sorted(tools("lint"))])
def test_hooks_are_the_pinned_tools(tool):
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text("utf8"))["repos"]
    found = [repo["rev"] for repo in hooks if any(tool in hook["id"] for hook in repo["hooks"])]
    assert found == [f"v{pins()[tool]}"]


def test_the_hook_of_mypy_sees_the_pinned_numpy():
    assert f"numpy=={pins()['numpy']}" in (ROOT / ".pre-commit-config.yaml").read_text("utf8")


def test_make_lint_runs_every_tool():
    recipe = (ROOT / "Makefile").read_text("utf8").partition("\nlint:")[2].partition("\n\n")[0]
    assert not [tool for tool in ("ruff", *tools("lint")) if f"$(BIN)/{tool}" not in recipe]
