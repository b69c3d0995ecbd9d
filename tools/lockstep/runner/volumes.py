"""What a pod mounts, as values. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lockstep.core.names import ImageRef
from lockstep.runner.honour import CONTAINER, cannot, known

_MOUNT = {"name", "mountPath", "readOnly"}
_COPY = ["cp", "-R", "--"]


@dataclass(frozen=True)
class ConfigFiles:
    """A ConfigMap as files: text by file name."""

    files: Mapping[str, str]


@dataclass(frozen=True)
class ImageFiles:
    """The files of an image."""

    reference: ImageRef


@dataclass(frozen=True)
class SecretFiles:
    """A Secret that the machine's owner put into a folder."""

    name: str


@dataclass(frozen=True)
class EmptyFolder:
    """A writable folder that lives as long as the process."""


Volume = ConfigFiles | ImageFiles | SecretFiles | EmptyFolder


def mounts_of(
    pod: Mapping[str, Any],
    container: Mapping[str, Any],
    maps: Mapping[str, Mapping[str, str]],
) -> dict[str, Volume]:
    """The volume at every path where a container mounts one.

    Args:
        pod: Its specification.
        container: The container.
        maps: Data of the ConfigMaps of the same file, by name.

    Raises:
        CannotRun: something in it would be ignored, or is missing.
    """
    volumes = {volume["name"]: _volume(volume, maps) for volume in pod.get("volumes", [])}
    for copier in pod.get("initContainers", []):
        volumes |= _copied(copier, volumes)
    mounts: dict[str, Volume] = {}
    for mount in container.get("volumeMounts", []):
        known(mount, _MOUNT, f"mount {mount.get('name')}")
        if mount["name"] not in volumes:
            raise cannot(f"mount {mount['name']} names no volume", f"volumes: {', '.join(sorted(volumes)) or 'none'}")
        if not mount["mountPath"].startswith("/") or ".." in mount["mountPath"]:
            raise cannot(f"mount path {mount['mountPath']}", "write an absolute path without `..`")
        mounts[mount["mountPath"].rstrip("/")] = volumes[mount["name"]]
    return mounts


def _copied(container: Mapping[str, Any], volumes: Mapping[str, Volume]) -> dict[str, Volume]:
    """What an init container fills, if all it does is to copy files of its image into an empty folder."""
    known(container, CONTAINER, f"init container {container.get('name')}")
    command, mounts = container.get("command", []), container.get("volumeMounts", [])
    target = mounts[0] if len(mounts) == 1 else {}
    volume = volumes.get(target.get("name", ""))
    if command[:3] != _COPY or command[-1] != target.get("mountPath") or volume != EmptyFolder():
        raise cannot(
            f"init container {container.get('name')} does something else than to copy files of its image",
            f"write the command {' '.join(_COPY)} FILE... FOLDER, and mount an emptyDir there, as Lockstep does",
        )
    return {target["name"]: ImageFiles(ImageRef(container["image"]))}


def _volume(volume: Mapping[str, Any], maps: Mapping[str, Mapping[str, str]]) -> Volume:
    match {kind: value for kind, value in volume.items() if kind != "name"}:
        case {"emptyDir": {}, **rest} if not rest:
            return EmptyFolder()
        case {"image": {"reference": reference, **_options}, **rest} if not rest:
            return ImageFiles(ImageRef(reference))
        case {"secret": {"secretName": name, **rest}, **other} if not rest and not other:
            return SecretFiles(name)
        case {"configMap": {"name": name, **rest}, **other} if not rest and not other:
            if name not in maps:
                raise cannot(
                    f"ConfigMap {name} is not in the file",
                    f"in the file: {', '.join(sorted(maps)) or 'none'}",
                )
            return ConfigFiles(maps[name])
    raise cannot(
        f"volume {volume.get('name')} is of a form that the local runner does not know",
        "use emptyDir, or configMap, secret or image with nothing but its name",
    )
