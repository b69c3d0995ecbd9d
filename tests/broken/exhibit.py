"""Exhibits of the museum: what an exhibit.yaml may say about how a good tree was broken."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from lockstep.core.document import parse_objects
from lockstep.core.inputs import compare
from lockstep.core.instance import parse_instance
from lockstep.core.names import ComponentName, InstanceId, digest_of
from lockstep.core.release import Release, format_release
from lockstep.core.source import component_path, load_source
from lockstep.core.version import Version
from tiny import STAGING, Tiny

_EVIDENCE = "releases/*/evidence/*"
_NAME = "org.opencontainers.image.ref.name"
_TOKEN = re.compile(r"<([a-z][^<>\n]*)>")


@dataclass(frozen=True)
class Good:
    """The good tree, and the names in it that exhibits write as `<front-door>`, `<image model>`, `<evidence>`."""

    tiny: Tiny

    @cached_property
    def release(self) -> Release:
        return self.tiny.workspace.state.release(Version("1.1.0"))

    def filled(self, text: str) -> str:
        """The text with every name filled in."""
        return _TOKEN.sub(lambda match: self._value(*match[1].partition(" ")[::2]), text)

    def filled_in(self, given: Any) -> Any:
        """The same for every text in a value."""
        if isinstance(given, dict):
            return {key: self.filled_in(item) for key, item in given.items()}
        if isinstance(given, list):
            return [self.filled_in(item) for item in given]
        return self.filled(given) if isinstance(given, str) else given

    def _value(self, word: str, rest: str) -> str:
        if word == "evidence":
            return next(map(str, (path.relative_to(self.tiny.folder) for path in self.tiny.folder.glob(_EVIDENCE))))
        if word == "commit":
            return self.tiny.git("rev-parse", f"v{rest}^{{commit}}")
        if word == "oid":
            return self.tiny.git("rev-parse", f"HEAD:{rest}")
        if word == "sha256":
            return digest_of((self.tiny.folder / rest).read_bytes())
        image = self.release.components[ComponentName(rest)].image if word in {"image", "code"} else None
        if image and image.code:
            return image.reference if word == "image" else image.code.digest
        return self._instance(rest if word == "old" else word, old=word == "old")

    def _instance(self, component: str, *, old: bool) -> str:
        environment = self.tiny.workspace.state.environment(STAGING)
        serving = environment.front.serves if environment.front else ()
        return next(one for one in environment.instances if one.component == component and (one in serving) is not old)


def apply_edits(tiny: Tiny, good: Good, edits: list[dict[str, Any]]) -> None:
    """Breaks a copy of the good tree; the edits of files are committed at the end."""
    for edit in edits:
        ((kind, given),) = edit.items()
        EDITS[kind](tiny, good.filled_in(given))
    if tiny.git("status", "--porcelain"):
        tiny.commit("break it")


def _replace(tiny: Tiny, given: Any) -> None:
    tiny.replace(given["path"], given["old"], given["new"])


def _write(tiny: Tiny, given: Any) -> None:
    tiny.write(given["path"], given["text"])


def _delete(tiny: Tiny, given: Any) -> None:
    (tiny.folder / given["path"]).unlink()


def _commit(tiny: Tiny, given: Any) -> None:
    tiny.commit(given)


def _git(tiny: Tiny, given: Any) -> None:
    tiny.git(*given)


def _instance(tiny: Tiny, given: Any) -> None:
    """Another instance, made from the one that serves, with the name that its content gives it."""
    old = InstanceId(Good(tiny).filled(f"<{given['like']}>"))
    text = _replaced(tiny.read(f"releases/staging/instances/{old}.yaml"), given["replace"])
    objects = tuple(document.data for document in parse_objects(text, old))
    new = f"{old.component}-{parse_instance(old, objects).digest.hex[:10]}"
    tiny.write(f"releases/staging/instances/{new}.yaml", text.replace(old, new))


def _release(tiny: Tiny, given: Any) -> None:
    """Another release, made from one that is there, with the tags that its images must have."""
    old, new = given["like"], given["version"]
    text = tiny.read(f"releases/{old}/release.yaml").replace(f"lockstep release {old}", f"lockstep release {new}")
    text = text.replace(f'\nversion: "{old}"', f'\nversion: "{new}"')
    tiny.write(f"releases/{new}/release.yaml", _replaced(text, given["replace"]))
    _tag_again(tiny, old, new)


def _uncompared(tiny: Tiny, given: Any) -> None:
    """A release of what was written so far, as a tool that compares no contracts would have made it."""
    tiny.commit("what will be released")
    workspace = tiny.workspace
    tree = workspace.repository.tree(workspace.state.commit)
    old, source = workspace.state.release(Version(given["like"])), load_source(tree)
    components = {
        name: pinned.model_copy(
            update={
                "contract": digest_of(tiny.read(component_path(name, source.components[name].contract)).encode()),
                "calls": {
                    callee: digest_of(tiny.read(component_path(name, path)).encode())
                    for callee, path in source.components[name].calls.items()
                },
            }
        )
        for name, pinned in old.components.items()
    }
    new = old.model_copy(
        update={
            "version": Version(given["version"]), "commit": tree.commit, "base": old.version, "components": components,
            "inputs": source.inputs, "changes": compare(old.inputs, source.inputs, old.calls).changes,
        }
    )  # fmt: skip
    tiny.write(f"releases/{new.version}/release.yaml", format_release(new))
    _tag_again(tiny, given["like"], given["version"])


def _tag_again(tiny: Tiny, old: str, new: str) -> None:
    """Gives a release the tags that its images must have: those of the one that it is like."""
    index = _index(tiny)
    for entry in list(index["manifests"]):
        name = entry["annotations"][_NAME]
        if name.endswith(f":release-{old}"):
            again = name.replace(f":release-{old}", f":release-{new}")
            index["manifests"].append({**entry, "annotations": {_NAME: again}})
    _write_index(tiny, index)


def _replaced(text: str, replacements: list[dict[str, str]]) -> str:
    for one in replacements:
        old = one["old"]
        assert old in text, f"{old!r} is not there"
        text = text.replace(old, one["new"])
    return text


def _make(tiny: Tiny, given: Any) -> None:
    """Commits what was written, tags and releases it."""
    tiny.commit("what will be released")
    tiny.tag(given)
    tiny.release(given)


def _serve(tiny: Tiny, given: Any) -> None:
    tiny.serve(given)


def _evidence(tiny: Tiny, given: Any) -> None:
    data = given["text"].encode()
    tiny.write(f"releases/{given['release']}/evidence/{hashlib.sha256(data).hexdigest()}.json", data)


def _corrupt_blob(tiny: Tiny, given: Any) -> None:
    path = _blob(tiny, given)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.chmod(0o644)
    path.write_bytes(data)


def _delete_blob(tiny: Tiny, given: Any) -> None:
    _blob(tiny, given).unlink()


def _untag(tiny: Tiny, given: Any) -> None:
    index = _index(tiny)
    kept = [one for one in index["manifests"] if one["annotations"][_NAME] != given["tag"]]
    assert len(kept) < len(index["manifests"])
    _write_index(tiny, {**index, "manifests": kept})


def _blob(tiny: Tiny, given: Any) -> Path:
    """The path of an image's manifest, configuration or uppermost layer, found through its tag of release 1.1.0."""
    blobs = tiny.folder / ".lockstep" / "store" / "blobs" / "sha256"
    name = f"{given['image']}:release-1.1.0"
    entries = {one["annotations"][_NAME]: one["digest"] for one in _index(tiny)["manifests"]}
    manifest = blobs / entries[name].removeprefix("sha256:")
    document = json.loads(manifest.read_bytes())
    digests: dict[str, str] = {"config": document["config"]["digest"], "layer": document["layers"][-1]["digest"]}
    return manifest if given["blob"] == "manifest" else blobs / digests[given["blob"]].removeprefix("sha256:")


def _index(tiny: Tiny) -> dict[str, Any]:
    index: dict[str, Any] = json.loads((tiny.folder / ".lockstep" / "store" / "index.json").read_bytes())
    return index


def _write_index(tiny: Tiny, index: dict[str, Any]) -> None:
    (tiny.folder / ".lockstep" / "store" / "index.json").write_text(json.dumps(index))


EDITS = {
    "replace": _replace, "write": _write, "delete": _delete, "commit": _commit, "git": _git, "instance": _instance,
    "release": _release, "uncompared": _uncompared, "make": _make, "serve": _serve, "evidence": _evidence,
    "untag": _untag, "corrupt_blob": _corrupt_blob, "delete_blob": _delete_blob,
}  # fmt: skip
