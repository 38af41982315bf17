"""What trained networks decode over the plane of their latents, as it is published: a picture and a record for each."""

import json
from pathlib import Path

from betavae_core import paths
from betavae_core.errors import UsageError, first_line
from betavae_core.networks.atlas import Atlas
from betavae_core.results.members import Member


def path(member: Member) -> Path:
    """Where the record of a member's atlas is published; its picture lies beside it, as .webp."""
    return paths.atlases() / member.specification.label / f"{member.beta:g}.json"


def read(member: Member) -> Atlas | None:
    """A member's atlas; None if there is none, or another member's; UsageError if it is not what was published."""
    file = path(member)
    try:
        record_ = json.loads(file.read_text())
        return Atlas.of(record_, file.with_suffix(".webp").read_bytes()) if record_["key"] == member.key else None
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{file} is damaged ({first_line(error)}); git checkout brings it back") from None
