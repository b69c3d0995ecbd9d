"""What a bundle asks of the settings around it."""

from __future__ import annotations

from dataclasses import dataclass

from lockstep.core.bundle import Agent, Bundle
from lockstep.core.names import EnvironmentName
from lockstep.core.tags import copier_tag, release_tag
from lockstep.core.version import Version

# Versions of every form that tags have: what protects these protects all.
_VERSIONS = tuple(map(Version, ("0.1.0", "1.4.0", "10.20.30", "2.0.0-rc.1")))


@dataclass(frozen=True)
class Subject:
    """A bundle, as far as settings are concerned.

    Args:
        branch: Where releases live.
        tag_prefix: Before the version in tags of Git.
        guarded: Environments that accept no pre-releases: what changes there wants a second pair of eyes.
        agents: What applies its environments.
        registry: Host and path of its images; empty where they stay in .lockstep.
        entry: The component that takes outside traffic; its repository is asked for.
        folder: Its folder in the repository; empty or ending in `/`.
        remotes: Names of DVC's remotes that only DVC can read.
    """

    branch: str
    tag_prefix: str
    guarded: tuple[EnvironmentName, ...]
    agents: frozenset[Agent]
    registry: str
    entry: str
    folder: str = ""
    remotes: tuple[str, ...] = ()

    @property
    def git_tags(self) -> tuple[str, ...]:
        """Tags of Git such as releases have."""
        return tuple(f"{self.tag_prefix}{version}" for version in _VERSIONS)

    @property
    def image_tags(self) -> tuple[str, ...]:
        """Tags of images such as releases have."""
        return tuple(tag for version in _VERSIONS for tag in (release_tag(version), copier_tag(version)))


def subject_of(bundle: Bundle, folder: str, remotes: tuple[str, ...]) -> Subject:
    """What a bundle asks for."""
    rules = bundle.environments
    return Subject(
        branch=bundle.state.branch,
        tag_prefix=bundle.tag_prefix,
        guarded=tuple(sorted(name for name in rules if not rules[name].prereleases)),
        agents=frozenset(rule.agent for rule in rules.values()),
        registry=bundle.registry if bundle.has_registry else "",
        entry=str(bundle.entry),
        folder=folder,
        remotes=remotes,
    )
