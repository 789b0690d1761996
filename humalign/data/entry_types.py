"""What the registry knows of one data set: its files, its downloads, its facts, and how it is read."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from ..depends import asks_data_folder


@dataclass(frozen=True)
class File:
    """One file (or folder) of an entry.

    Attributes
    ----------
    path : str
        Relative to the data folder.
    what : str
        Content, shape, units.
    also : tuple of str
        Other places where it is looked for.
    optional, folder : bool
    url : str
        Where it can be fetched without a form, if anywhere.
    mirrors : tuple of str
        Further addresses of the same bytes.
    shared : bool
        Whether several data sets use it: its presence alone does not mean that this one is there.
    """

    path: str
    what: str = ""
    also: tuple[str, ...] = ()
    optional: bool = False
    folder: bool = False
    url: str = ""
    mirrors: tuple[str, ...] = ()
    shared: bool = False

    def find(self, root: Path) -> Path | None:
        """Where the file lies under ``root``, or None."""
        asks_data_folder()
        for name in (self.path, *self.also):
            path = root / name
            if path.is_dir() if self.folder else path.is_file():
                return path
        return None


@dataclass(frozen=True)
class Download:
    """One open file on the network.

    Attributes
    ----------
    url : str
    path : str
        Where it goes, relative to the data folder: the file itself, or the folder an archive is unpacked into.
    mirrors : tuple of str
        Further addresses of the same content; where no checksum is known they may be packed otherwise.
    checksum : str
        "sha256:...", "md5:..." or "git:..." (the name git gives to the content); "" when unknown.
    unpack : bool
        Whether it is a tar or zip archive.
    inner : tuple of str
        Archive inside the archive (a path under ``path``) that is unpacked there, too, and its checksum; () for none.
    size : int
        Bytes, where known.
    """

    url: str
    path: str
    mirrors: tuple[str, ...] = ()
    checksum: str = ""
    unpack: bool = False
    inner: tuple[str, ...] = ()
    size: int | None = None


def raw_file(repository: str, commit: str, path: str) -> str:
    """Address of a file of a public GitHub repository at one commit."""
    return f"https://raw.githubusercontent.com/{repository}/{commit}/{quote(path)}"


@dataclass(frozen=True)
class Entry:
    """What is known of one data set, and how it is read.

    Attributes
    ----------
    name, title, kind : str
        ``kind``: triplets, rdm, embedding, features, stimuli, concepts, levels, transform, weights, table.
    profiles : tuple of str
    source, licence, citation : str
    files : dict of str to File
    row_order : str
        Which order the rows have; "ids inside" where the file names them.
    access : str
        "", or what has to be done by hand (form, password, account).
    size : str
        How large, in words.
    expect : dict
        Facts of the published version (counts), checked by ``verify`` against :func:`humalign.data.verify.facts`.
    likely : dict
        Facts that no source at hand confirms; ``verify`` reports a difference as a note, not as a problem.
    downloads : tuple of Download
        What can be fetched without a form.
    any_of : tuple of str or of tuples of str
        Optional files of which at least one is needed; a tuple stands for files that are needed together.
    loader : callable
        ``loader(at)`` with a :class:`Place`.
    checks : tuple of callables
        ``check(loaded, at)`` yields one-line problems.
    steps : tuple of str
        How to get it by hand.
    """

    name: str
    title: str
    kind: str
    profiles: tuple[str, ...]
    source: str
    licence: str
    citation: str = ""
    files: dict = field(default_factory=dict)
    row_order: str = ""
    access: str = ""
    size: str = ""
    expect: dict = field(default_factory=dict)
    likely: dict = field(default_factory=dict)
    downloads: tuple = ()
    any_of: tuple = ()
    loader: Callable | None = None
    checks: tuple = ()
    steps: tuple[str, ...] = ()

    @property
    def origin(self) -> str:
        """Where it comes from, short: the address, or the source in words."""
        return self.source.split(" ")[0] if self.source.startswith("http") else self.source

    @property
    def bytes(self) -> int | None:
        """About how many bytes its own files have, read from ``size``; None where it is not stated."""
        found = re.search(r"(\d+(?:\.\d+)?) (kB|MB|GB)", self.size)
        return round(float(found[1]) * {"kB": 1e3, "MB": 1e6, "GB": 1e9}[found[2]]) if found else None

    @property
    def closed(self) -> list[str]:
        """Keys of required files that cannot be fetched by a program."""
        if self.downloads:
            return []
        gone = [key for key, file in self.files.items() if not (file.optional or file.url)]
        if self.any_of and not any(all(self.files[key].url for key in keys) for keys in self._ways):
            gone += self._ways[0]
        return gone

    @property
    def _ways(self) -> list[tuple]:
        """``any_of`` with every way as a tuple of keys."""
        return [(keys,) if isinstance(keys, str) else keys for keys in self.any_of]

    @property
    def by_hand(self) -> str:
        """What has to be done by hand, in words; "" when 'humalign data fetch' does everything."""
        return self.access or ("see 'humalign data where'" if self.closed else "")

    def files_in(self, root: Path | None) -> dict[str, Path]:
        """Files that are there."""
        if root is None:
            return {}
        return {key: path for key, file in self.files.items() if (path := file.find(root))}

    def missing(self, root: Path | None) -> list[str]:
        """Keys of required files that are not there."""
        here = self.files_in(root)
        gone = [key for key, file in self.files.items() if not file.optional and key not in here]
        if self.any_of and not any(here.keys() >= set(keys) for keys in self._ways):
            gone += [key for key in self._ways[0] if key not in here]
        return gone
