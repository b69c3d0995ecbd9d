"""Step 9: gates and the front. What the front names is there, is one release, and has answered its gate."""

from __future__ import annotations

from collections.abc import Iterator

from lockstep.core.component import Kind
from lockstep.core.document import parse_authored
from lockstep.core.edits import chart_file
from lockstep.core.environment import CHART_FILE, FRONT_FILE, GATE_FILE, INSTANCE, Environment, Front, Gate
from lockstep.core.errors import Finding, LockstepError
from lockstep.core.fields import at, mappings
from lockstep.core.instance import Instance
from lockstep.core.names import InstanceId
from lockstep.core.release import Release
from lockstep.core.rules.facts import Deployed, Facts
from lockstep.core.rules.instance import unlike
from lockstep.core.rules.pod import images_of, pod_findings
from lockstep.core.rules.rendered import front_rendering_findings, gate_rendering_findings, is_own_image

_NOTHING = "0.0.0"  # Chart.yaml before the first promote


def gate_findings(environment: Environment, facts: Facts) -> Iterator[Finding]:
    """What is wrong with the gates of an environment."""
    for root, gate in environment.gates.items():
        where = f"releases/{environment.name}/{environment.gate_file(root)}"
        restore = f"restore it from Git: git log -- {where}"
        if problem := _job_problem(gate):
            yield Finding("gate/job", where, problem, restore, root.component)
            continue
        if problem := _root_problem(gate, environment):
            yield Finding("gate/root", where, problem, restore, root.component)
        else:
            yield from gate_rendering_findings(gate, environment, facts)
        yield from pod_findings(gate.objects, where, root.component)


def _job_problem(gate: Gate) -> str:
    kinds = [str(item.get("kind")) for item in gate.objects]
    if kinds != ["Job"]:
        return f"it holds {', '.join(kinds)} instead of one Job"
    deadline = at(gate.objects[0], "spec", "activeDeadlineSeconds")
    if not isinstance(deadline, int) or deadline < 1:
        return "its Job has no deadline (activeDeadlineSeconds), so a promote could wait for ever"
    return ""


def _root_problem(gate: Gate, environment: Environment) -> str:
    """A gate asks the root that its file is named after, from that root's own image."""
    job, root = gate.objects[0], gate.root
    name = at(job, "metadata", "name")
    containers = mappings(at(job, "spec", "template", "spec"), "containers")
    variables = [variable for one in containers for variable in mappings(one, "env")]
    asked = [variable.get("value") for variable in variables if variable.get("name") == "ROOT_URL"]
    if name != f"gate-{root}" or asked != [f"http://{root}"]:
        return f"its Job {name} asks {', '.join(map(str, asked)) or 'nothing'}, its file is the gate of {root}"
    if root not in environment.instances:
        return f"it is the gate of {root}, which is not in {environment.name}; a gate dies with its root"
    if not is_own_image(gate, environment.instances[root]):
        return f"its Job runs {', '.join(map(str, images_of(job)))}, which is not the image of {root}"
    return ""


def front_findings(deployed: Deployed, facts: Facts) -> Iterator[Finding]:
    """What is wrong with the front of an environment, and with the version that its chart says."""
    environment, front = deployed.environment, deployed.environment.front
    if FRONT_FILE not in deployed.files or front:
        yield from _chart_findings(deployed, front)
    if front is None:
        return
    where = f"releases/{environment.name}/{FRONT_FILE}"
    restore = f"git revert the commit that changed it: git log -- {where}"
    name = front.root.component
    selector = at(front.objects[0], "spec", "selector")
    if len(front.objects) != 1 or selector != {INSTANCE: front.root} or front.objects[0].get("kind") != "Service":
        what = f"it is not one Service that selects one root: {len(front.objects)} objects, selector {selector}"
        yield Finding("front/field", where, what, restore, name)
    if front.root not in environment.instances:
        what = f"it names {front.root}, which is not in {environment.name}"
        yield Finding("front/root", where, what, restore, name)
        return
    if GATE_FILE not in deployed.files:
        what = f"there is no gate of its root {front.root} beside it, so it moved without being asked anything"
        yield Finding("front/gate", where, what, f"git log -- releases/{environment.name}/{GATE_FILE}", name)
    if f"gates/{front.root}.yaml" in deployed.files:
        what = f"the gate of its root {front.root} lies in gates/ too; nobody knows which of the two is asked"
        fix = f"git rm releases/{environment.name}/gates/{front.root}.yaml"
        yield Finding("front/gate", where, what, fix, name)
    closure = environment.closure(front.root)
    if tuple(sorted(front.serves)) != closure:
        what = f"it says that {_names(front.serves)} serve, its root reaches {_names(closure)}"
        yield Finding("front/serves", where, what, restore, name)
    yield from _release_findings(environment, front, facts, where)


def _release_findings(environment: Environment, front: Front, facts: Facts, where: str) -> Iterator[Finding]:
    """The release that the front says is there, and is what runs."""
    release = facts.known.get(front.release)
    if release is None:
        what = f"it says that release {front.release} serves, which is not a release here"
        yield Finding("front/release", where, what, f"restore releases/{front.release} from Git")
        return
    yield from front_rendering_findings(front, release, facts, where)
    serving = [environment.instances[one] for one in environment.closure(front.root) if one in environment.instances]
    for what in _unlike(serving, release):
        fix = f"lockstep promote {environment.name} VERSION with the version that serves"
        yield Finding("front/content", where, what, fix)


def _unlike(serving: list[Instance], release: Release) -> Iterator[str]:
    """Sentences on where what serves is not the release: other components, or another image or prompt of one."""
    services = {name for name, pinned in release.components.items() if pinned.kind is Kind.SERVICE}
    running = [item.id.component for item in serving]
    if sorted(running) != sorted(services):
        yield f"it serves {', '.join(running)}; release {release.version} has {', '.join(sorted(services))}"
        return
    for item in serving:
        if problem := unlike(item, release.components[item.id.component]):
            yield f"{item.id} is not what release {release.version} pins: {problem}"


def _chart_findings(deployed: Deployed, front: Front | None) -> Iterator[Finding]:
    """Chart.yaml says the version that serves; Helm, Argo CD and people read it there. Its other words are free."""
    where = f"releases/{deployed.name}/{CHART_FILE}"
    wanted = str(front.release) if front else _NOTHING
    try:
        data = parse_authored(deployed.files.get(CHART_FILE, b"").decode(), where).data
    except (LockstepError, UnicodeDecodeError) as error:
        yield Finding("front/chart", where, f"cannot be read: {error}", f"restore it from Git: git log -- {where}")
        return
    if at(data, "dependencies"):
        what = "it has dependencies; Helm would apply charts that no release pins"
        yield Finding("front/chart", where, what, f"restore it from Git: git log -- {where}")
    said = (at(data, "version"), at(data, "appVersion"))
    if said != (wanted, wanted):
        what = f"version {said[0]} and appVersion {said[1]}, but {wanted if front else 'nothing'} serves"
        yield Finding("front/chart", where, what, f"restore it from Git: git log -- {where}")
    elif (at(data, "apiVersion"), at(data, "type")) != ("v2", "application") or not _is_written(deployed, wanted):
        what = "it is not written as lockstep writes it: apiVersion, type, name, order, quotes or header"
        yield Finding("front/chart", where, what, f"restore it from Git: git log -- {where}")


def _is_written(deployed: Deployed, version: str) -> bool:
    data = deployed.files[CHART_FILE]
    return chart_file(data, deployed.name, version) == data


def _names(names: tuple[InstanceId, ...]) -> str:
    return ", ".join(names)
