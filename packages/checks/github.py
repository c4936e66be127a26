"""GitHub users of a package, where GitHub cannot be asked about them."""

import httpx
from bioimageio.spec._internal.constants import KNOWN_GITHUB_USERS
from bioimageio.spec._internal.field_validation import validate_github_user
from bioimageio.spec.model.v0_5 import ModelDescr


def users_nobody_could_look_up(description: ModelDescr) -> list[str]:
    """Look up all people who are named; let those pass for whom there is no network.

    `bioimageio test` asks GitHub about each user it does not know, and without a network that is
    a failed test. A user that GitHub does not know stays one.

    Parameters
    ----------
    description
        Of the package.

    Returns
    -------
    list of str
        The users that are let pass.
    """
    converters = [
        author for _, entry in description.weights if entry for author in entry.authors or ()
    ]
    people = (
        *description.authors,
        *description.maintainers,
        *description.packaged_by,
        *converters,
    )
    passed: list[str] = []
    for user in dict.fromkeys(person.github_user for person in people if person.github_user):
        try:
            validate_github_user(user)
        except httpx.TransportError:
            KNOWN_GITHUB_USERS.add(user.lower())
            passed.append(user)
        except ValueError:
            continue  # the test says so
    return passed
