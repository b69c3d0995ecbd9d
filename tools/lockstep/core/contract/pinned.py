"""The contracts that inputs stand for: texts come by Git id, and nothing about them is believed.

1. each text has the Git id that the input says; 2. component.yaml names the contract and the use files;
3. where a release pins them, their sha256 is the one that it pins; 4. everything that they refer to is an input too.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping

from lockstep.core.component import Component, parse_component
from lockstep.core.contract.contract import Contract, parse_contract
from lockstep.core.contract.edges import Call, Contracts
from lockstep.core.contract.fields import fields_of
from lockstep.core.document import InvalidDocument
from lockstep.core.errors import Finding, LockstepError, Refused
from lockstep.core.inputs import Input, InputKind, Inputs
from lockstep.core.names import ComponentName, Digest, GitOid, digest_of
from lockstep.core.release import Release

Texts = Mapping[GitOid, bytes]
_READ = (InputKind.CONFIG, InputKind.CONTRACT)


def texts_needed(inputs: Inputs) -> tuple[GitOid, ...]:
    """Git ids of every text that `contracts_of` reads, sorted."""
    return tuple(sorted({item.oid for items in inputs.values() for item in items if item.kind in _READ}))


def contracts_of(
    inputs: Inputs,
    texts: Texts,
    release: Release | None = None,
    components: Mapping[ComponentName, Component] | None = None,
) -> Contracts:
    """The contracts and use files of these inputs.

    Args:
        inputs: What each component is made of.
        texts: Bytes by Git id; more does no harm.
        release: The release whose inputs they are; its digests are compared.
        components: What was read of these inputs already; component.yaml of all others is read here.

    Raises:
        Refused: a text is not there, is another one, or cannot be read; everything at once.
    """
    promised: dict[ComponentName, Contract] = {}
    uses: dict[Call, Contract] = {}
    found: list[Finding] = []
    for name, items in sorted(inputs.items()):
        try:
            own, needed = component_contracts(name, items, texts, release, (components or {}).get(name))
        except Refused as error:
            found += error.findings
            continue
        promised[name] = own
        uses |= {(name, callee): use for callee, use in needed.items()}
    if found:
        raise Refused("some contracts cannot be read", found)
    return Contracts(promised, uses)


def component_contracts(
    name: ComponentName,
    items: tuple[Input, ...],
    texts: Texts,
    release: Release | None,
    component: Component | None = None,
) -> tuple[Contract, dict[ComponentName, Contract]]:
    """The contract of one component, and its use files by callee; see `contracts_of`.

    Raises:
        Refused: a text is not there, is another one, or cannot be read.
    """
    wrong = [finding for item in items if item.kind in _READ for finding in _text_findings(name, item, texts)]
    if wrong:
        raise Refused("some contracts cannot be read", wrong)
    files = {item.path: texts[item.oid] for item in items if item.kind in _READ}
    component = component or _component(name, files)
    if release is not None and (wrong := list(_digest_findings(name, component, files, release))):
        raise Refused("some contracts are not those that the release pins", wrong)
    paths = {callee: f"components/{name}/{path}" for callee, path in component.calls.items()}
    return (
        _contract(name, files, f"components/{name}/{component.contract}"),
        {callee: _contract(name, files, path) for callee, path in paths.items()},
    )


def _text_findings(name: ComponentName, item: Input, texts: Texts) -> Iterator[Finding]:
    data = texts.get(item.oid)
    if data is None:
        what = f"its text {item.oid} is not in this clone"
        yield Finding("contract/text", item.path, what, "git fetch --all --tags, or git fetch --unshallow --tags", name)
    elif oid_of(data, item.oid) != item.oid:
        what = f"Git has {oid_of(data, item.oid)} under the id {item.oid}: its store is damaged"
        yield Finding("contract/text", item.path, what, "git fsck, then clone again", name)


def oid_of(data: bytes, like: GitOid) -> GitOid:
    """The Git id of these bytes as a blob, in the object format of another id.

    Source: git-hash-object(1), and gitformat-hash-function-transition for SHA-256.
    """
    text = b"blob %d\0" % len(data) + data
    made = hashlib.sha256(text) if len(like) == 64 else hashlib.sha1(text, usedforsecurity=False)
    return GitOid(made.hexdigest())


def _component(name: ComponentName, files: Mapping[str, bytes]) -> Component:
    path = f"components/{name}/component.yaml"
    try:
        return parse_component(files.get(path, b"").decode(), path, name)
    except (LockstepError, UnicodeDecodeError) as error:
        if isinstance(error, Refused):
            raise
        what = f"{path} cannot be read: {error}"
        raise Refused(what, [Finding("contract/text", path, what, "correct component.yaml", name)]) from error


def _digest_findings(
    name: ComponentName, component: Component, files: Mapping[str, bytes], release: Release
) -> Iterator[Finding]:
    pinned = release.components[name]
    wanted: dict[str, Digest | None] = {component.contract: pinned.contract}
    wanted |= {path: pinned.calls.get(callee) for callee, path in component.calls.items()}
    for path, digest in wanted.items():
        data = files.get(f"components/{name}/{path}")
        if data is None or digest_of(data) != digest:
            has = digest_of(data) if data is not None else "no input"
            what = f"it is {has}, release {release.version} pins {digest or 'none'}"
            yield Finding(
                "contract/text", f"components/{name}/{path}", what, f"lockstep verify {release.version}", name
            )


def _contract(name: ComponentName, files: Mapping[str, bytes], path: str) -> Contract:
    if path not in files:
        what = "component.yaml names it, and it is no input of the component"
        raise Refused(what, [Finding("contract/text", path, what, f"git add {path}", name)])
    try:
        contract = parse_contract(files, path)
    except InvalidDocument as error:
        raise Refused(str(error), [Finding("contract/text", error.where, str(error), error.fix, name)]) from error
    fields_of(contract)  # what it says of its models is understood, or refused here with all the rest
    return contract
