"""status, history, trace, schema: what can be read without changing anything."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lockstep.cli.arguments import parse_environment_name
from lockstep.cli.cluster import cluster_of, clustered
from lockstep.cli.output import emit, example, moment, paint, say, shared
from lockstep.cli.sides import sides_data, sides_text
from lockstep.core.names import EnvironmentName, digest_of
from lockstep.core.shown import amount
from lockstep.verbs.workspace import Workspace, open_workspace

if TYPE_CHECKING:
    from lockstep.verbs.beside import Beside
    from lockstep.verbs.status import EnvironmentStatus
    from lockstep.verbs.trace import Traced


@click.command(
    epilog=example(
        "lockstep status", "lockstep status production -o json", "lockstep status production --picture > production.svg"
    )
)
@click.argument("environments", nargs=-1)
@click.option("--picture", is_flag=True, help="Print an SVG picture of one environment instead.")
@clustered
@shared
def status(environments: tuple[str, ...], picture: bool, form: str, folder: Path, *, kubeconfig: str) -> None:
    """Show what serves, what is staged and what is kept in ENVIRONMENTS (all, for none), as Git says and as the local
    runner does; with a kubeconfig, what the cluster holds beside it: warm or standby, drift, who lags.
    """
    from lockstep.verbs.status import draw, statuses  # noqa: PLC0415

    workspace, names = open_workspace(folder, say), tuple(map(parse_environment_name, environments))
    if picture:
        if len(names) != 1:
            raise click.BadParameter("a picture shows one environment", param_hint="ENVIRONMENTS")
        print(draw(workspace, names[0]), end="")
        return
    found = statuses(workspace, names)
    sides = {item.name: _beside(workspace, item.name, kubeconfig) for item in found if kubeconfig}
    if form == "json":
        data = [
            {**_status_data(item), **({"cluster": sides_data(sides[item.name])} if sides else {})} for item in found
        ]
        emit("status", {"environments": data})
        return
    texts = (
        "\n".join([_status_text(item), *(sides_text(sides[item.name]) if sides else _runner_text(item))])
        for item in found
    )
    print("\n\n".join(texts))


def _beside(workspace: Workspace, name: EnvironmentName, kubeconfig: str) -> Beside:
    from lockstep.verbs.beside import beside  # noqa: PLC0415

    return beside(workspace, name, cluster_of(workspace, name, kubeconfig))


@click.command(epilog=example("lockstep history production"))
@click.argument("environment")
@shared
def history(environment: str, form: str, folder: Path) -> None:
    """Show every edit of ENVIRONMENT, newest first, whoever made it."""
    from lockstep.verbs.history import history_of  # noqa: PLC0415

    found = history_of(open_workspace(folder, say), parse_environment_name(environment))
    if form == "json":
        emit(
            "history",
            {
                "environment": environment,
                "edits": [
                    {
                        "kind": event.kind,
                        "commit": event.commit.sha,
                        "utc": moment(event.commit.time),
                        "author": event.commit.author,
                        "subject": event.commit.subject,
                        "release": str(event.commit.front[1]) if event.commit.front else None,
                        "added": event.commit.added,
                        "removed": event.commit.removed,
                    }
                    for event in found
                ],
            },
        )
        return
    for event in reversed(found):
        serving = f"serves {event.commit.front[1]}" if event.commit.front else "serves nothing"
        print(
            f"{event.commit.sha[:10]}  {moment(event.commit.time)}  {event.kind:<9} {serving:<16} "
            f"{event.commit.author}: {event.commit.subject}"
        )


@click.command(epilog=example("lockstep trace gateway-3f2a91c0de", "lockstep trace gateway-3f2a91c0de -o json"))
@click.argument("instance")
@shared
def trace(instance: str, form: str, folder: Path) -> None:
    """Show which release, weights, prompts and source made INSTANCE (as in an answer's `served_by`)."""
    from lockstep.core.names import InstanceId  # noqa: PLC0415
    from lockstep.verbs.trace import trace as follow  # noqa: PLC0415

    try:
        name = InstanceId(instance)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="INSTANCE") from error
    found = follow(open_workspace(folder, say), name)
    if form == "json":
        emit("trace", {"instances": [_traced_data(item) for item in found]})
        return
    print("\n".join(line for item in found for line in _traced_text(item)))


@click.command(epilog=example("lockstep schema component > component.schema.json"))
@click.argument("name", type=click.Choice(["component", "bundle", "bindings", "release", "contract"]))
def schema(name: str) -> None:
    """Print the JSON Schema (2020-12) of component.yaml, lockstep.yaml, bindings.yaml, release.yaml, or of `x-lockstep`
    in a contract.
    """
    from pydantic import BaseModel  # noqa: PLC0415

    from lockstep.core.bindings import Bindings  # noqa: PLC0415
    from lockstep.core.bundle import Bundle  # noqa: PLC0415
    from lockstep.core.component import Component  # noqa: PLC0415
    from lockstep.core.contract.fields import Fields  # noqa: PLC0415
    from lockstep.core.release import Release  # noqa: PLC0415

    models: dict[str, type[BaseModel]] = {
        "component": Component,
        "bundle": Bundle,
        "bindings": Bindings,
        "release": Release,
        "contract": Fields,
    }
    print(
        json.dumps(
            {
                "$schema": "https://json-schema.org/draft/2020-12/schema",
                **models[name].model_json_schema(by_alias=True),
            },
            indent=2,
        )
    )


def _status_data(item: EnvironmentStatus) -> dict[str, Any]:
    roots = [
        {
            "root": root.root,
            "role": root.role,
            "versions": [str(version) for version in root.versions],
            "instances": root.instances,
            "missing": root.missing,
        }
        for root in item.roots
    ]
    return {
        "name": item.name,
        "release": str(item.release) if item.release else None,
        "roots": roots,
        "orphans": item.orphans,
        "hold": item.hold,
        "runner": item.runner,
    }


def _status_text(item: EnvironmentStatus) -> str:
    lines = [f"{paint(item.name, 'bold')}: " + (f"serves release {item.release}" if item.release else "serves nothing")]
    lines += [f"  held: {item.hold}"] if item.hold else []
    shared_by = {
        name: sum(name in root.instances for root in item.roots) for root in item.roots for name in root.instances
    }
    for root in item.roots:
        lines.append(f"  {root.role:<9} {', '.join(map(str, root.versions)) or '?':<16} {root.root}")
        lines += [
            f"      {name:<30} {_instance_text(item, name)}{'  shared' if shared_by[name] > 1 else ''}"
            for name in root.instances
            if name != root.root
        ]
        lines += [f"      {name:<30} {paint('missing', 'red')}" for name in root.missing]
    lines += [f"  no root needs {name}" for name in item.orphans]
    return "\n".join(lines)


def _instance_text(item: EnvironmentStatus, name: str) -> str:
    return str(item.runner["instances"].get(name, {}).get("state", "not started")) if item.runner else "in Git"


def _traced_data(item: Traced) -> dict[str, Any]:
    return {
        "instance": item.instance,
        "environment": item.environment,
        "commit": item.commit,
        "versions": [str(version) for version in item.versions],
        "source": item.source,
        "callees": item.callees,
        **item.pinned.model_dump(mode="json", include={"image", "weights", "prompts", "config", "contract"}),
    }


def _traced_text(item: Traced) -> list[str]:
    pinned = item.pinned
    lines = [
        f"{paint(item.instance, 'bold')}: {item.instance.component} of release {', '.join(map(str, item.versions))}",
        f"  source:  {item.source} (components/{item.instance.component})",
        f"  staged:  {item.commit} in {item.environment}",
        *([f"  image:   {pinned.image.reference}"] if pinned.image else []),
    ]
    lines += [
        f"  weights: {file.name} {file.sha256} ({amount(file.size)}, DVC md5 {file.md5})"
        for file in (pinned.weights.files if pinned.weights else ())
    ]
    if pinned.weights and pinned.weights.is_third_party:
        folder = f", folder {pinned.weights.path}" if pinned.weights.path else ""
        lines.append(f"  weights: {pinned.weights.reference}{folder} (third-party)")
    for name, text in pinned.prompts.items():
        lines += [f"  prompt:  {name} {digest_of(text.encode())}", *(f"    | {line}" for line in text.splitlines())]
    return lines


def _runner_text(item: EnvironmentStatus) -> list[str]:
    if not item.runner:
        return ["  not running here: lockstep up " + item.name]
    front = item.runner.get("front") or {}
    return [
        f"  running here: pid {item.runner['pid']}, front {item.runner['front_url']} answers with "
        f"{front.get('release', 'nothing yet')}"
    ]
