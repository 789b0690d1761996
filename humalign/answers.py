"""What people did and saw, by role: answers, arrangements, sessions, pictures; plain folders and published files."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from . import levels
from .config import Profile
from .data import plain, registry
from .data.known import check_known, manifest
from .data.types import Features, HumanRDM, Stimuli, Triplets
from .errors import InputError, MissingData
from .features import simple
from .roles import ARRANGEMENTS, CONTROL_SEED, ROLES, TRIPLETS, Role, role

KINDS = {"triplets": "triplets", "rdm": "arrangement"}  # of registry entries with answers of people: kind of their role


@dataclass(frozen=True, eq=False)
class Answers:
    """People's answers and the pictures of one profile; see :func:`humalign.source.open_source`.

    Parameters
    ----------
    profile : Profile
    root : Path or None
        The data folder.
    """

    profile: Profile
    root: Path | None
    kept: dict = field(default_factory=dict, repr=False)

    # ---- where things lie

    @property
    def kind(self) -> str:
        """ "drawn", "own" or "published", see :class:`humalign.config.Profile`; beside published files may lie plain
        folders."""
        return self.profile.kind

    def role(self, name: str) -> Role:
        """The role of a name: of :data:`humalign.roles.ROLES`, a study of the plain layout in the data folder, or a
        published data set with answers of people, by its name in the registry.

        In a folder of its owner, roles are played by the studies that have their file: "things" by the first one with
        ``answers.csv``, "cichy", "king1" and so on by those with ``arrangement.npz``, in the order of their names,
        where no study is called like the role.
        """
        found = role(name)
        if self.kind == "own" and name in ROLES:
            return self._played(name)
        if found is not None and name not in ROLES:
            folder = self.root / found.folder if self.root else None
            if folder is None or not (folder / plain.PICTURES).is_file():
                found = None
        if found is None and self.kind == "published":
            found = self._by_entry(name)
        if found is None:
            own = plain.studies(self.root) if self.root else []
            raise InputError(f"no role is called '{name}'", "role", f"choose one of {', '.join([*ROLES, *own])}")
        return found

    def _by_entry(self, name: str) -> Role | None:
        """A role for the answers of a published data set; None where the profile has none of this name."""
        known = {one.name: one for one in registry.entries(self.profile)}
        kind = KINDS.get(known[name].kind) if name in known else None
        if kind is None:
            return None
        like = next((one for one in ROLES.values() if name in one.answers and not one.joined), None)
        pictures = like.pictures if like else (f"{name}/images", f"{name.partition('/')[0]}/images")
        like = like or next((one for one in ROLES.values() if set(one.pictures) & set(pictures)), None)
        return Role(known[name].title, kind, answers=(name,), pictures=tuple(p for p in pictures if p in known),
                    stand_ins=like.stand_ins if like else ())  # fmt: skip

    def _played(self, name: str) -> Role:
        """A role with the folder of the owner's study that plays it."""
        found, own = ROLES[name], plain.studies(self.root)
        same = [one for one in ROLES.values() if one.file == found.file and one.folder not in own]
        free = [study for study in own if study not in {one.folder for one in ROLES.values()}
                and (self.root / study / found.file).is_file()]  # fmt: skip
        place = next((k for k, one in enumerate(same) if one is found), len(free))
        if not found.folder or not found.file or place >= len(free):
            return found
        return replace(found, folder=free[place], title=f"{found.title.partition(' (')[0]}: {free[place]}")

    def _folder(self, name: str) -> Path | None:
        """The folder of a role in the plain layout; None where published files play it."""
        one = self.role(name)
        folder = self.root / one.folder if self.root and one.folder else None
        if folder is not None and (folder / plain.PICTURES).is_file():
            return folder
        if self.kind != "published":
            told = f"'{name}' is not in this data folder"
            raise MissingData(told, self.root, "use the profile full" if self.kind == "drawn" else plain.LIKE)
        return None

    def _published(self, names: tuple[str, ...], what: str) -> str:
        """The first of some published data sets that is at hand; where none is, the first, so that it is named."""
        if not names:
            told = f"is not known of the data of the profile '{self.profile.name}'"
            raise MissingData(told, what, "use the profile mini")
        known = {one.name: one for one in registry.entries(self.profile)}
        found = [name for name in names if name in known]
        if not found:
            raise MissingData(f"is not in the profile '{self.profile.name}'", names[0], "use mini or full")
        here = (name for name in found if self.root is not None and not known[name].missing(self.root))
        return next(here, found[0])

    def _read(self, name: str):
        """A published data set, read once as long as its files do not change."""
        if self.root is None:
            return registry.load(name, self.profile)  # says that there is no data folder
        return self._once(name, registry.entry(name).files_in(self.root).values(),
                          lambda: registry.load(name, self.profile))  # fmt: skip

    def published(self, name: str):
        """A published data set by its name in the registry, for pages on one data set and not on a role.

        Raises
        ------
        MissingData, InputError
            As :func:`humalign.data.registry.load`.
        """
        return self._read(name)

    def _once(self, key, paths, make):
        stamp = [(p.stat().st_mtime_ns, p.stat().st_size) for p in paths]
        if self.kept.get(key, (None,))[0] != stamp:
            self.kept[key] = stamp, make()
        return self.kept[key][1]

    def _file(self, folder: Path, file: str) -> Path:
        """A file of a study in the plain layout, checked where the manifest of the data folder knows its checksum."""
        path = folder / file
        if not path.is_file():
            raise MissingData("is not here", path, f"the layout of {file}: python -m pydoc humalign.data.plain")
        check_known(path, self.root, self)
        return path

    @property
    def origin(self) -> str:
        """Where the files come from, for messages."""
        return str(self._about.get("source", "its owner"))

    @cached_property
    def _about(self) -> dict:
        return manifest(self.root) if self.root else {}

    # ---- pictures

    def pictures(self, role: str = "things", side: int | None = None) -> Stimuli:
        """The pictures of a role.

        Parameters
        ----------
        role : str
        side : int, optional
            Pixels: all pictures as uint8 (m, side, side, 3). Those of the drawn world are drawn at this size, others
            are reduced by area. Default: as they are (paths, or an array where the data set is one).

        Returns
        -------
        Stimuli
            ``meta``: lists, where known: ``kind`` (category; "" where several apply), ``kinds`` (tuples of all that
            apply), ``part`` (of a split of the concepts), ``split``.

        Raises
        ------
        MissingData, InputError
            No such role, no pictures, or a damaged table.
        """
        if side is not None:
            return self._sized(role, side)
        if folder := self._folder(role):
            path = self._file(folder, plain.PICTURES)
            about = self._about.get("source", folder.name), self._about.get("licence", plain.OWNER)
            return self._once(("pictures", folder), [path], lambda: plain.read_pictures(folder, *about))
        one = self.role(role)
        found = self._read(self._picture_set(role))
        meta = {"kind": list(found.meta["coarse"])} if "coarse" in found.meta else {}
        if one.categories in registry.available(self.profile):
            member = self._read(one.categories).reindex(list(found.ids)).fillna(0)
            kinds = [tuple(member.columns[row]) for row in member.to_numpy(bool)]
            meta = {"kind": [names[0] if len(names) == 1 else "" for names in kinds], "kinds": kinds}
        return replace(found, meta={**found.meta, **meta}) if meta else found

    def _picture_set(self, role: str) -> str:
        """The published pictures that play a role: the first that are at hand."""
        return self._published(self.role(role).pictures, f"pictures of {role}")

    def stand_ins(self, role: str) -> Stimuli:
        """Pictures of the same objects that people did not judge, where those of the role are not at hand.

        Raises
        ------
        MissingData
            When there are none.
        """
        return self._read(self._published(self.role(role).stand_ins, f"pictures of {role}"))

    def _sized(self, role: str, side: int) -> Stimuli:
        from .world import folder, stimuli

        found = self.pictures(role)
        if self.kind == "drawn" and side != folder.SIDE:
            return replace(
                found, images=stimuli.images(self.role(role).folder, side, self.profile).align(found.ids).images
            )
        pixels = self._once(("pixels", found.checksum, side), [], lambda: simple.thumbnails(found.images, side))
        return replace(found, images=pixels)

    def seen(self, role: str, ids, side: int) -> dict[str, np.ndarray]:
        """Some pictures for a page, by id: uint8 (side, side, 3); drawings without pixel noise, photographs cropped."""
        if self.kind == "drawn":
            from .world import stimuli

            return {name: stimuli.picture(name, side, noise=False)[0] for name in ids}
        from PIL import Image, ImageOps

        from .features.images import read

        found = self.pictures(role).align(tuple(ids))
        opened = (Image.fromarray(i if isinstance(i, np.ndarray) else read(i)) for i in found.images)
        return {name: np.asarray(ImageOps.fit(image, (side, side))) for name, image in zip(found.ids, opened)}

    def ids(self, role: str = "things") -> tuple[str, ...]:
        """Names of the objects of a role."""
        if self._folder(role):
            return self.pictures(role).ids
        read = {"triplets": self.triplets, "arrangement": self.arrangement}.get(self.role(role).kind, self.pictures)
        return read(role).ids

    def descriptions(self, role: str = "things", ids=None) -> list[Features]:
        """Simple descriptions of the pictures of a role, for reference, centred: none of them is a network.

        Pixels and colour histogram know nothing of what is shown. The category (one-hot, or the table of THINGS) and,
        where people were simulated, their own dimensions know all.

        Parameters
        ----------
        role : str
        ids : sequence of str, optional
            Which pictures (default: all); the mean over these is taken away.
        """
        shown = self.pictures(role) if ids is None else self.pictures(role).align(ids)
        found = simple.descriptions(self._sized(role, 32).align(shown.ids).images)
        made = {name: found[name] for name in ("pixels", "colour histogram")}
        if self._folder(role) is None and self.role(role).categories in registry.available(self.profile):
            member = self._read(self.role(role).categories).loc[list(shown.ids)]
            made["category"] = np.ascontiguousarray(member, np.float32)
        elif self._folder(role) and any(shown.meta.get("kind", ())):
            kinds = np.asarray(shown.meta["kind"])
            made["category"] = (kinds[:, None] == np.unique(kinds)).astype(np.float32)
        made = {name: values - values.mean(0) for name, values in made.items()}
        if self.kind == "drawn":
            from .world import observers

            made["people's dimensions"] = observers.values(shown.ids)
        said = "computed from the pictures or their labels"
        return [Features(shown.ids, values, name, "", said) for name, values in made.items()]

    # ---- people

    def _answers(self, role: str, file: str, name: str) -> Triplets:
        folder = self._folder(role)
        path = self._file(folder, file)
        return self._once(path, [path, folder / plain.PICTURES],
                          lambda: plain.read_answers(path, self.pictures(role), name))  # fmt: skip

    def triplets(self, role: str = "things") -> Triplets:
        """Odd-one-out answers; the control of published data has the objects of the same answers permuted.

        Raises
        ------
        MissingData, InputError
            No such role or no answers; damaged files.
        """
        one = self.role(role)
        if self._folder(role):
            return self._answers(role, one.file if one.kind == "triplets" else "answers.csv", role)
        if one.kind != "triplets":
            raise InputError(f"no triplets are called '{role}'", "role", f"choose one of {', '.join(TRIPLETS)}")
        if one.joined:
            parts, ids = [self._read(name) for name in one.answers], self.pictures(role).ids
            return self._once((role, *(part.checksum for part in parts)), [], lambda: joined(parts, ids, role))
        found = self._read(self._published(one.answers, role))
        return self._once((role, found.checksum), [], lambda: permuted(found)) if one.control else found

    def answers_of(self, role: str):
        """What people did in a role: Triplets or HumanRDM; of sessions the valid answers, as Triplets with levels."""
        read = {"arrangement": self.arrangement, "sessions": self._valid}.get(self.role(role).kind, self.triplets)
        return read(role)

    def _valid(self, role: str) -> Triplets:
        """Answers in sessions of the people who attended (:func:`humalign.levels.exclude`)."""
        trials, shown = levels.exclude(self.sessions(role))[0], self.pictures(role)
        return Triplets(shown.ids, levels.odd_last(trials, shown.ids), shown.source, shown.licence, name=role,
                        concepts=shown.concepts, participants=trials["participant"].to_numpy(),
                        response_times=trials["seconds"].to_numpy(float),
                        level=trials["level"].to_numpy(str))  # fmt: skip

    def repeated(self, role: str = "things") -> Triplets:
        """Answers of several people to the same triplets, for noise ceilings."""
        if self._folder(role):
            return self._answers(role, "repeated.csv", f"{role}-repeated")
        return self._read(self._published(self.role(role).repeated, f"repeated triplets of {role}"))

    def again(self, role: str = "things") -> tuple[Triplets, Triplets]:
        """Answers, and answers of the same people to the same triplets once more, row by row."""
        if folder := self._folder(role):
            first, second = self.repeated(role), self._answers(role, "repeated-again.csv", f"{role}-repeated-again")
            path = folder / "repeated-again.csv"
        else:
            names = self.role(role).again or (self._published((), f"second answers of {role}"),)
            (first, second), path = map(self._read, names), names[-1]
        plain.check_again(first, second, path)
        return first, second

    def arrangement(self, role: str) -> HumanRDM:
        """Dissimilarities of every person."""
        if folder := self._folder(role):
            path = self._file(folder, "arrangement.npz")
            return self._once(path, [path, folder / plain.PICTURES],
                              lambda: plain.read_arrangement(path, self.pictures(role)))  # fmt: skip
        if self.role(role).kind != "arrangement":
            raise InputError(f"no arrangements are called '{role}'", "role", f"choose one of {', '.join(ARRANGEMENTS)}")
        return self._read(self._published(self.role(role).answers, role))

    def sessions(self, role: str = "levels") -> pd.DataFrame:
        """Single trials, in the columns of :mod:`humalign.levels`."""
        if folder := self._folder(role):
            path = self._file(folder, "sessions.csv")
            return self._once(path, [path, folder / plain.PICTURES],
                              lambda: plain.read_sessions(path, self.pictures(role)))  # fmt: skip
        if self.role(role).kind != "sessions":
            raise InputError(f"no sessions are called '{role}'", "role", "choose levels")
        return self._read(self._published(self.role(role).answers, role))

    def people(self, role: str = "things") -> plain.People:
        """How people decide: dimensions of the objects, and where known the chances of their answers.

        In the drawn world the truth (``known``); of published data the embedding of people that is at hand, in the
        order of the answers' objects, and VICE's probabilities of the answers: published, or of its mean embedding.

        Raises
        ------
        MissingData
            Where nobody says.
        InputError
            Where the probabilities do not belong to the answers.
        """
        if folder := self._folder(role):
            path = self._file(folder, "people.npz")
            found = self._once(path, [path, folder / plain.PICTURES],
                               lambda: plain.read_people(path, self.pictures(role)))  # fmt: skip
            where = path
        else:
            one = self.role(role)
            where = self._published(one.people, f"dimensions of people for {role}")
            values, chances = self._read(where).align(self.ids(role)), None
            if one.probabilities in registry.available(self.profile):
                where, chances = one.probabilities, self._read(one.probabilities)["probabilities"]
            found = plain.People(values.ids, values.dimensions, values.values, chances, False, 1,
                                 registry.entry(values.name).title, values.name)  # fmt: skip
        if found.probabilities is not None and len(found.probabilities) != (n := len(self.triplets(role))):
            told = f"has probabilities of {len(found.probabilities)} answers for {n} triplets"
            raise InputError(told, where, "both have to come from the same release")
        return found


def joined(parts, ids, name: str) -> Triplets:
    """The responses of several data sets whose three objects are all among ``ids``, met by name.

    Parameters
    ----------
    parts : list of Triplets
    ids : sequence of str
    name : str

    Raises
    ------
    InputError
        When a data set has no such response, or some of ``ids`` are no objects of it.
    """
    parts = [part.restrict(ids) for part in parts]
    rows = np.concatenate([part.triplets for part in parts])
    source = "; ".join(dict.fromkeys(part.source for part in parts))
    return replace(parts[0], triplets=rows, participants=None, response_times=None, source=source, name=name)


def permuted(triplets: Triplets, seed: int = CONTROL_SEED) -> Triplets:
    """The same responses with the objects permuted: same statistics, no relation to what the pictures show."""
    order = np.random.default_rng(seed).permutation(len(triplets.ids))
    return Triplets(
        triplets.ids,
        order[triplets.triplets],
        f"{triplets.source}, objects permuted",
        triplets.licence,
        name=f"{triplets.name}, permuted",
        concepts=triplets.concepts,
    )
