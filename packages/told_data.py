"""What a package says of the data that its weights were trained on."""

import re
from typing import Any

from imaging.training_metadata import Metadata
from packages.models import Model, Reference

# As `packages.publish_toml.TITLE` has it.
_NOT_IN_TITLES = re.compile(r"[^A-Za-z0-9_+\- ()]")
_LONGEST_TITLE = 128


def tell_data(
    model: Model,
    description: dict[str, Any],
    metadata: Metadata,
    title: str | None,
    *,
    volumes: bool = False,
) -> str:
    """Name a package, and say of its data what is true of them.

    What reference.yaml and reference.md of the model say is said of weights that were trained on
    the reference data, and of no others; so of further reference weights.

    Parameters
    ----------
    model
        Whose package it is.
    description
        Content of its rdf.yaml, which is changed.
    metadata
        Of its weights.
    title
        The name; without it that of the reference, or one made of the data's.
    volumes
        Whether it restores volumes.

    Returns
    -------
    str
        Its documentation, Markdown: what is neither measured nor about other programs.
    """
    said, data = model.documentation(volumes=volumes), metadata.data
    learnt = metadata.request.data_sha256, metadata.request.also
    found = next((each for each in model.references() if _data(each) == learnt), None)
    if found is not None:
        reference = found.entries
        entries, told = (each["config"]["bioimageio"] for each in (description, reference))
        for name, sentence in told.pop("bias_risks_limitations").items():
            known = entries["bias_risks_limitations"]
            known[name] = f"{known[name]} {sentence}"
        entries |= told
        description["tags"] += reference["tags"]
        description |= {name: reference[name] for name in ("name", "description")}
        said += f"\n\n{found.text}"
    else:
        description["name"] = title_of(f"{description['name']} trained on {data.name}")
        description["description"] += f" Trained on {data.name}. {data.description}".rstrip()
    description["name"] = title or description["name"]
    _, _, rest = said.partition("\n")
    return f"# {description['name']}\n{rest}"


def _data(reference: Reference) -> tuple[str, dict[str, str]]:
    return reference.entries["data_sha256"], reference.entries.get("also_sha256", {})


def title_of(words: str) -> str:
    """Write words so that the zoo takes them for a title.

    Parameters
    ----------
    words
        In any characters, of any length.

    Returns
    -------
    str
        A title.
    """
    return _NOT_IN_TITLES.sub("-", words)[:_LONGEST_TITLE].rstrip()
