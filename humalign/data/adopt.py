"""Adopting files a reader already has: put where the registry looks for them, and verified."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from ..errors import InputError, MissingData
from ..store import sha256, telling_no_room, write_json
from . import files as read
from . import known, registry
from .verify import verify_one


def _key_for(one: registry.Entry, source: Path, key: str | None) -> str:
    if key is not None:
        if key not in one.files:
            raise InputError(
                f"{one.name} has no file called '{key}'", "data import", f"keys are {', '.join(one.files)}"
            )
        return key
    fitting = [
        k
        for k, f in one.files.items()
        if f.folder == source.is_dir() and source.name in {Path(n).name for n in (f.path, *f.also)}
    ]
    if not fitting:
        fitting = [
            k
            for k, f in one.files.items()
            if f.folder == source.is_dir()
            and not f.optional
            and not f.shared
            and (f.folder or source.suffix in {Path(n).suffix for n in (f.path, *f.also)})
        ]
    if len(fitting) != 1:
        names = "; ".join(f"{k} = {f.path}" for k, f in one.files.items())
        raise InputError(f"which file of {one.name} is it", source, f"say --key ({names})")
    return fitting[0]


def _target(file: registry.File, source: Path) -> str:
    """The registered place with the ending of the source (.npy or .txt of one data set)."""
    if not file.folder:
        for name in (file.path, *file.also):
            if Path(name).suffix == source.suffix:
                return name
        raise InputError(
            f"ends in '{source.suffix}'",
            source,
            f"expected {' or '.join(sorted({Path(n).suffix for n in (file.path, *file.also)}))}",
        )
    return file.path


def adopt(source, name: str, profile, *, key: str | None = None, link: bool = False, accept: bool = False) -> str:
    """Put a file or folder a reader has where the registry looks for it, and verify it.

    Parameters
    ----------
    source : path
    name : str
        The data set.
    profile : Profile
    key : str, optional
        Which of the data set's files; told by the file name where possible.
    link : bool
        Link instead of copying.
    accept : bool
        Accept another checksum than the known one: it is written into the folder's ``humalign-data.json``.

    Returns
    -------
    str
        A line saying what was done.

    Raises
    ------
    InputError
        When it is not what the registry expects; then nothing is changed.
    """
    one = registry.entry(name)
    source, root = Path(source).expanduser(), profile.data
    if root is None:
        raise MissingData("needs a data folder", name, "point HUMALIGN_DATA or --data at it")
    if not source.exists():
        raise InputError("does not exist", source, "check the path")
    key = _key_for(one, source, key)
    relative = _target(one.files[key], source)
    target = root / relative
    if target.exists() and target.samefile(source):
        raise InputError("lies there already", source, f"humalign data verify {name}")
    if source.is_dir() and root.resolve().is_relative_to(source.resolve()):
        raise InputError("holds the data folder itself", source, "name the folder with this data set alone")
    before = known.manifest(root)
    target.parent.mkdir(parents=True, exist_ok=True)
    aside = target.with_name(f".{target.name}.replaced")
    _recover(target, aside)
    if target.exists() or target.is_symlink():
        os.replace(target, aside)
    try:
        _place(source, target, link)
        if (found := one.files[key].find(root)) != target:
            raise InputError(f"would not be read, since {found} comes first", source, "move that one away")
        if accept and target.is_file():
            sums = {**before.get("sha256", {}), relative: sha256(target)}
            write_json(root / known.MANIFEST, {**before, "sha256": sums})
        known.file_digest.cache_clear()
        told = _verified(one, key, target, profile)
    except BaseException:
        _recover(target, aside, failed=True)
        if accept and before:
            write_json(root / known.MANIFEST, before)
        elif accept:
            (root / known.MANIFEST).unlink(missing_ok=True)
        raise
    _remove(aside)
    return f"{source} -> {target} ({'linked' if link else 'copied'}; {told})"


def _verified(one, key: str, target: Path, profile) -> str:
    """What an adopted file or folder holds, or what is still missing; InputError where something is wrong with it."""
    others = [k for k in one.missing(profile.data) if k != key]
    if others:  # the whole is read when the last file has come; until then each by itself
        if target.is_file():
            known.check_known(target, profile.data, one)
            read.readable(target)
        elif one.kind == "stimuli" and not read.pictures_below(target):
            raise InputError("holds no pictures", target, f"'humalign data where {one.name}' says what it should hold")
        elif not any(path.is_file() for path in target.rglob("*")):
            raise InputError("holds no files", target, f"'humalign data where {one.name}' says what it should hold")
        return f"still missing: {', '.join(one.files[k].path for k in others)}"
    report = verify_one(one, profile)
    if report.problems:
        more = f" (and {len(report.problems) - 1} more)" if len(report.problems) > 1 else ""
        raise InputError(report.problems[0] + more, None, None)
    return ", ".join(f"{v} {k}" for k, v in report.facts.items() if isinstance(v, int)) or "verified"


def _recover(target: Path, aside: Path, failed: bool = False) -> None:
    """What was there before comes back where an import failed, or was killed before it could."""
    _remove(_scratch(target))
    if failed:
        _remove(target)
    if aside.exists() or aside.is_symlink():
        _remove(target)
        os.replace(aside, target)


def _scratch(target: Path) -> Path:
    """Where a copy is made; always the same place, so that what a killed import left is found again."""
    return target.with_name(f".{target.name}.importing")


def _place(source: Path, target: Path, link: bool) -> None:
    if link:
        target.symlink_to(source.resolve(), target_is_directory=source.is_dir())
        return
    scratch = _scratch(target)
    try:
        with telling_no_room(target):
            (shutil.copytree if source.is_dir() else shutil.copyfile)(source, scratch)
        os.replace(scratch, target)
    except shutil.Error as error:  # a list of what could not be copied
        told = error.args[0][0] if error.args and isinstance(error.args[0], list) else (source, "", error)
        raise InputError(f"cannot be copied ({told[-1]})", told[0], "make it readable or take it out") from None
    finally:
        _remove(scratch)


def _remove(path: Path) -> None:
    if path.is_symlink() or path.is_file():
        path.unlink()
    elif path.is_dir():
        shutil.rmtree(path)
