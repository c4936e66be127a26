"""``publish.toml``: what only the authors of a package know.

Persons, licence, DOIs and addresses are held to the rules of bioimageio.spec, without asking the
network.
"""

import re
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Annotated, Any

from bioimageio.spec.generic.v0_3 import (
    VALID_COVER_IMAGE_EXTENSIONS,
    LicenseId,
    OrcidId,
    ResourceId,
    Version,
)
from pydantic import AfterValidator, EmailStr, Field, HttpUrl, ValidationError, model_validator
from pydantic.dataclasses import dataclass

from imaging.cli import UserError
from imaging.files import STRICT, read_toml

__all__ = ["TITLE", "Publication", "read_publication"]

TITLE = re.compile(r"(?=.*[A-Za-z0-9])[A-Za-z0-9_+\- ()]{5,128}")
"""What the zoo takes as the name of a model."""


def _as(kind: Any, expected: str) -> AfterValidator:
    """Return a validator that asks a type of a library, and says what it wants."""

    def check(value: str) -> str:
        try:
            kind(value)
        except (ValidationError, ValueError) as error:
            raise ValueError(f"'{value}' is not {expected}") from error
        return value

    return AfterValidator(check)


def _fits(pattern: re.Pattern[str], expected: str) -> AfterValidator:
    def check(value: str) -> str:
        if not pattern.fullmatch(value):
            raise ValueError(f"'{value}' is not {expected}")
        return value

    return AfterValidator(check)


def _lower_id(doi: str) -> ResourceId:
    return ResourceId(doi.lower())


Text = Annotated[str, Field(min_length=1)]
Orcid = Annotated[
    str, _as(OrcidId, "an ORCID iD as 0000-0002-1825-0097, the last digit of which is a checksum")
]
DoiName = Annotated[
    str,
    # bioimageio.spec looks at the first seven characters only.
    _fits(
        re.compile(r"10\.\d{4,9}/\S+"), "a DOI as 10.5281/zenodo.1234567, without https://doi.org/"
    ),
]
Address = Annotated[str, _as(HttpUrl, "a web address as https://example.org")]
ZooId = Annotated[str, _as(ResourceId, "an id of the zoo as affable-shark, or a DOI")]
Name = Annotated[str, _fits(re.compile(r"[^/\\]+"), "a name without slashes")]
GithubUser = Annotated[
    str,
    _fits(
        re.compile(r"[A-Za-z0-9](-?[A-Za-z0-9]){0,38}"),
        "a GitHub user name: letters, digits and single hyphens, no address",
    ),
]


@dataclass(frozen=True, config=STRICT)
class Author:
    """Who made the model, or its package."""

    name: Name
    affiliation: Text | None = None
    orcid: Orcid | None = None
    email: EmailStr | None = None
    github_user: GithubUser | None = None


@dataclass(frozen=True, config=STRICT)
class Maintainer:
    """Whom the zoo asks when something is wrong."""

    github_user: GithubUser
    name: Name | None = None
    affiliation: Text | None = None
    orcid: Orcid | None = None
    email: EmailStr | None = None


@dataclass(frozen=True, config=STRICT)
class Uploader:
    """Whose account of the zoo it is."""

    email: EmailStr
    name: Name | None = None


@dataclass(frozen=True, config=STRICT)
class Funder:
    """Who paid."""

    name: Text
    grant: Text | None = None


@dataclass(frozen=True, config=STRICT)
class Citation:
    """What to cite, by DOI or address."""

    text: Text
    doi: DoiName | None = None
    url: Address | None = None

    @model_validator(mode="after")
    def _can_be_found(self) -> "Citation":
        if self.doi is None and self.url is None:
            raise ValueError("neither doi nor url says where to find it")
        return self


@dataclass(frozen=True, config=STRICT)
class Resource:
    """A dataset or model, by its id in the zoo, or by the DOI under which it is published."""

    id: ZooId | None = None
    doi: Annotated[DoiName, _as(_lower_id, "a DOI that can be an id of the zoo")] | None = None
    version: Annotated[str, _as(Version, "a version as 1.0.0")] | None = None

    @model_validator(mode="after")
    def _is_named_once(self) -> "Resource":
        if (self.id is None) == (self.doi is None):
            raise ValueError("either id or doi must be stated, and not both")
        return self

    @property
    def zoo_id(self) -> str:
        """Its id in the zoo, where a DOI is one, too, in small letters as all are."""
        return self.id or str(self.doi).lower()


@dataclass(frozen=True, config=STRICT)
class Environment:
    """Where and how the training ran; the package knows its hardware and hours."""

    cloud_provider: Text | None = None
    compute_region: Text | None = None
    co2_emitted: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None


@dataclass(frozen=True, config=STRICT)
class Publication:
    """What a publish.toml states; all may be left out.

    Attributes
    ----------
    title, description
        Instead of the model's own.
    authors, maintainers, packagers, uploader
        Persons; the authors packaged it where nobody else is named.
    license
        SPDX identifier.
    version, version_comment, released
        Of the package.
    git_repo
        Where it is developed.
    cite
        Before the publications of the method.
    tags, links
        Beside the model's own; links are ids in the zoo of programs that take the package.
    icon
        One or two characters, or an image.
    covers
        Images instead of the one that is drawn.
    training_data, parent
        Dataset, and the model whose weights were trained further.
    funders, environment, memory_requirements_training
        For the model card.
    """

    title: (
        Annotated[str, _fits(TITLE, "5 to 128 English letters, digits, spaces or _+-()")] | None
    ) = None
    description: Annotated[str, Field(min_length=1, max_length=1024)] | None = None
    authors: tuple[Author, ...] = ()
    maintainers: tuple[Maintainer, ...] = ()
    packagers: tuple[Author, ...] = ()
    uploader: Uploader | None = None
    license: (
        Annotated[
            str, _as(LicenseId, "an SPDX identifier as BSD-3-Clause (https://spdx.org/licenses)")
        ]
        | None
    ) = None
    version: Annotated[str, _as(Version, "a version as 1.0.0")] | None = None
    version_comment: Annotated[str, Field(min_length=1, max_length=512)] | None = None
    released: date | None = None
    git_repo: Address | None = None
    cite: tuple[Citation, ...] = ()
    tags: tuple[Text, ...] = ()
    links: tuple[ZooId, ...] = ()
    icon: Annotated[str, Field(min_length=1, max_length=2)] | Path | None = None
    covers: tuple[Path, ...] = ()
    training_data: Resource | None = None
    parent: Resource | None = None
    funders: tuple[Funder, ...] = ()
    environment: Environment | None = None
    memory_requirements_training: Text | None = None

    @model_validator(mode="after")
    def _somebody_answers(self) -> "Publication":
        if self.authors and not self.maintainers and not any(a.github_user for a in self.authors):
            raise ValueError(
                "entry 'maintainers' is missing, and no author has a github_user whom the zoo "
                "could ask instead"
            )
        return self


def read_publication(path: Path) -> Publication:
    """Read a publish.toml.

    Parameters
    ----------
    path
        The file; paths of images in it are relative to its folder.

    Returns
    -------
    Publication
        With the images' paths as seen from here.

    Raises
    ------
    UserError
        It is missing, or an entry is unknown, impossible or names an image that is not there.
    """
    stated = read_toml(path, Publication)
    icon = _image(path, "icon", stated.icon) if isinstance(stated.icon, Path) else stated.icon
    covers = tuple(_image(path, f"covers.{i}", file) for i, file in enumerate(stated.covers))
    return replace(stated, icon=icon, covers=covers)


def _image(path: Path, entry: str, file: Path) -> Path:
    found = path.parent / file
    if found.suffix.lower() not in VALID_COVER_IMAGE_EXTENSIONS:
        raise UserError(
            f"{path}: entry '{entry}': '{file}' is no image that the zoo shows: give one of "
            f"{', '.join(VALID_COVER_IMAGE_EXTENSIONS)}, or an icon of one or two characters."
        )
    if not found.is_file():
        raise UserError(f"{path}: entry '{entry}': {found} does not exist: correct the path.")
    return found
