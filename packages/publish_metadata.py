"""What a ``publish.toml`` states, put into the description and documentation of a package.

How complete a description is the zoo measures as ``metadata_completeness`` of bioimageio.spec: the
share of all entries, nested ones included, that are stated; ``null`` is a statement. With a
``publish.toml`` a package therefore says "none" where its builder knows that there is none, as of
Keras weights. It stays below 1: readers of format 0.5.9 refuse two entries,
``weights.pytorch_state_dict.strict`` and ``documentation.sha256``.
"""

import shutil
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from packages.publish_toml import Author, Funder, Maintainer, Publication, Resource

__all__ = ["put_into"]

_HOW_MADE = {
    "pytorch_state_dict": "As trained; the other formats are made from these.",
    "torchscript": "Traced by PyTorch from the state dict.",
    "onnx": "Exported by PyTorch from the state dict, in one file.",
}


def put_into(publication: Publication, folder: Path, description: dict[str, Any]) -> None:
    """Add what is stated to a package.

    Parameters
    ----------
    publication
        What a publish.toml states.
    folder
        Of the package: images are copied into it, and its documentation.md is added to.
    description
        Content of its rdf.yaml, which is changed.
    """
    stated = publication
    packagers = stated.packagers or stated.authors
    _replace(
        description,
        description=stated.description,
        license=stated.license,
        authors=_people(stated.authors),
        maintainers=_people(stated.maintainers),
        packaged_by=_people(packagers),
        uploader=_without_none(stated.uploader) if stated.uploader else None,
        version=stated.version,
        version_comment=stated.version_comment,
        timestamp=f"{stated.released}T00:00:00+00:00" if stated.released else None,
        git_repo=stated.git_repo,
        training_data=_linked(stated.training_data),
        links=list(stated.links),
        icon=_icon(stated.icon, folder),
        covers=_covers(stated.covers, folder),
    )
    description["parent"] = _linked(stated.parent)
    description["cite"] = [_without_none(c) for c in stated.cite] + description["cite"]
    description["tags"] = list(dict.fromkeys([*description["tags"], *stated.tags]))
    card = description["config"]["bioimageio"]
    _replace(
        card,
        funded_by="; ".join(map(_funded, stated.funders)),
        memory_requirements_training=stated.memory_requirements_training,
    )
    if stated.environment:
        card["environmental_impact"] |= _without_none(stated.environment)
    for name, comment in _HOW_MADE.items():
        people = stated.authors if name == "pytorch_state_dict" else packagers
        _replace(description["weights"][name], comment=comment, authors=_people(people))
    _state_none(description)
    file = folder / "documentation.md"
    text = file.read_text(encoding="utf-8").rstrip()
    file.write_text(f"{text}\n\n{_text(stated, description)}", encoding="utf-8")


def _replace(entries: dict[str, Any], **stated: Any) -> None:
    """Replace what is stated; nothing, and nobody, is no statement."""
    entries |= {name: value for name, value in stated.items() if value}


def _text(stated: Publication, description: dict[str, Any]) -> str:
    """Write the part of the documentation that names people and sources."""
    data = stated.training_data
    facts = {
        "Funding": "; ".join(map(_funded, stated.funders)),
        "Training data": (_doi(data.doi) if data.doi else data.id) if data else None,
        "Source": f"<{stated.git_repo}>" if stated.git_repo else None,
        "Licence": description["license"],
    }
    lines = [
        *(f"- {_person(author)}" for author in stated.authors),
        *(f"- {name}: {fact}" for name, fact in facts.items() if fact),
        *(
            f"- Cite: {cite['text'].strip()} {_doi(cite['doi']) if 'doi' in cite else cite['url']}"
            for cite in description["cite"]
        ),
    ]
    return "## Authors and sources\n\n" + "\n".join(lines) + "\n"


def _icon(icon: str | Path | None, folder: Path) -> str | None:
    return _copied(icon, folder, "icon") if isinstance(icon, Path) else icon


def _covers(covers: Sequence[Path], folder: Path) -> list[str]:
    if covers:
        (folder / "cover.png").unlink()  # that the builder drew
    return [_copied(cover, folder, f"cover-{n}") for n, cover in enumerate(covers, 1)]


def _copied(file: Path, folder: Path, name: str) -> str:
    target = folder / f"{name}{file.suffix.lower()}"
    shutil.copyfile(file, target)
    return target.name


def _linked(resource: Resource | None) -> dict[str, Any] | None:
    return {"id": resource.zoo_id, "version": resource.version} if resource else None


def _state_none(description: dict[str, Any]) -> None:
    """State what a package of this project never has; what somebody stated is kept."""
    weights = description["weights"]
    absent: list[tuple[dict[str, Any], tuple[str, ...]]] = [
        (description, ("id_emoji", "run_mode")),
        (description["config"], ("stardist",)),
        (description["config"]["bioimageio"], ("new_version",)),
        (weights["pytorch_state_dict"], ("parent", "dependencies")),
        (weights["onnx"], ("external_data",)),
        (weights, ("keras_hdf5", "keras_v3", "tensorflow_js", "tensorflow_saved_model_bundle")),
    ]
    for entries, names in absent:
        for name in names:
            entries.setdefault(name, None)
    description.setdefault("attachments", [])


def _people(people: Sequence[Author | Maintainer]) -> list[dict[str, Any]]:
    return [_without_none(person) for person in people]


def _without_none(record: Any) -> dict[str, Any]:
    return {name: value for name, value in asdict(record).items() if value is not None}


def _funded(funder: Funder) -> str:
    return f"{funder.name} (grant {funder.grant})" if funder.grant else funder.name


def _person(author: Author) -> str:
    orcid = f"<https://orcid.org/{author.orcid}>" if author.orcid else None
    return ", ".join(fact for fact in (author.name, author.affiliation, orcid) if fact)


def _doi(doi: str) -> str:
    return f"<https://doi.org/{doi}>"
