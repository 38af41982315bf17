"""What trained networks decode over the plane of their latents, as it is published: a picture and a record for each."""

import json
from pathlib import Path

from betavae_core import files, paths
from betavae_core.errors import UsageError, first_line
from betavae_core.networks.atlas import Atlas
from betavae_core.results import store
from betavae_core.results.members import Member


def path(member: Member) -> Path:
    """Where the record of a member's atlas is published; its picture lies beside it, as .webp."""
    return paths.atlases() / member.specification.label / f"{member.beta:g}.json"


def write(member: Member, atlas: Atlas, provenance: dict) -> Path:
    """Publish a member's atlas: the picture, then its record, which says how far its q is from the stored member's."""
    target, whole = path(member), {"key": member.key, "beta": member.beta, **_beside(member, atlas)}
    target.parent.mkdir(parents=True, exist_ok=True)
    files.write(target.with_suffix(".webp"), atlas.image)
    files.write_text(target, json.dumps({**whole, "made": provenance, **atlas.record}) + "\n")
    return target


def read(member: Member) -> Atlas | None:
    """A member's atlas; None if there is none, or another member's.

    Raises
    ------
    UsageError
        if its files are not what was published.
    """
    file = path(member)
    try:
        record_ = json.loads(file.read_text())
        return Atlas.of(record_, file.with_suffix(".webp").read_bytes()) if record_["key"] == member.key else None
    except FileNotFoundError:
        return None
    except (ValueError, KeyError) as error:
        raise UsageError(f"{file} is damaged ({first_line(error)}); git checkout brings it back") from None


def _beside(member: Member, atlas: Atlas) -> dict:
    """Whether an atlas's means are the stored member's, bit for bit, and how far they are from them at most."""
    stored = store.collect([member])
    if "latent_mean" not in stored:
        return {"same_as_stored": None}
    gap = atlas.gap(stored.latent_mean.values[0, member.realization])
    return {"same_as_stored": gap == 0, "largest_difference": round(gap, 4)}
