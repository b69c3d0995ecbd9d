"""Images from Dockerfiles, by `lockstep build --push` and by `docker build` and `docker push` of the same: five
components for the first time, nothing changed, one line of code changed. `python -m bench docker`; needs root, Debian's
docker.io and docker-registry, and mmdebstrap for the base image.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.measure import LOCKSTEP, Ran, commit, lockstep, run
from bench.rivals import daemon
from bench.table import Row
from bench.uploads import registry_at

_AREA = "Docker: lockstep build --push beside docker build + docker push, same components, same daemon"
_NAMES = ("hello", "echo", "echo2", "echo3", "echo4")
_LAYERED = """\
ARG BASE_IMAGE
FROM ${BASE_IMAGE} AS runtime
COPY install.py /tmp/install.py
RUN python3 /tmp/install.py /app/site && rm /tmp/install.py
ENV PYTHONPATH=/app/src:/app/site
WORKDIR /app
USER 65532:65532

FROM runtime
COPY src /app/src
"""
# Dependencies and code in one folder, as after `pip install --target`: one layer for both.
_ONE_COPY = "ARG BASE_IMAGE\nFROM ${BASE_IMAGE}\nCOPY . /app\nENV PYTHONPATH=/app/src:/app/site\nWORKDIR /app\n"
# In the place of pip: a package index would be measured. Bytes that compress by half, as programs do.
_INSTALL = """\
import pathlib, random, sys
folder, chance = pathlib.Path(sys.argv[1]), random.Random("{name}")
folder.mkdir(parents=True)
for number in range({megabytes}):
    (folder / f"{{number}}.py").write_bytes(chance.randbytes(500_000) + b"# a line\\n" * 55_000)
"""
_BASE = """\
import sys
from cluster.base import are_pushed, base_image
store, digest = base_image(lambda line: print(line, file=sys.stderr))
assert are_pushed({"base": (store, digest)}, sys.argv[1])
print(f"{sys.argv[1]}/lockstep/base@{digest}")
"""
_KITS = {"0": "plain", "1": "BuildKit"}  # DOCKER_BUILDKIT


@dataclass(frozen=True)
class _Place:
    """The bundle, the registry and the daemon that all of them use."""

    folder: Path
    host: str
    base: str
    socket: Path

    def lockstep(self, *words: str) -> Ran:
        return run(["env", f"DOCKER_HOST=unix://{self.socket}", *LOCKSTEP, *words], self.folder)

    def docker(self, *words: str) -> Ran:
        return run(["/usr/bin/docker", "--host", f"unix://{self.socket}", *words], self.folder)

    def clear(self) -> None:
        """The daemon forgets every image and every build."""
        self.docker("image", "prune", "--all", "--force")
        self.docker("builder", "prune", "--all", "--force")

    def rival(self, name: str, dockerfile: str, buildkit: str) -> Ran:
        """`docker build` and `docker push` of one component, added up."""
        folder, image = f"components/{name}", f"{self.host}/rival-{buildkit}-{dockerfile.lower()}/{name}:1"
        docker = ["env", f"DOCKER_BUILDKIT={buildkit}", "/usr/bin/docker", "--host", f"unix://{self.socket}"]
        file = ["--file", f"{folder}/{dockerfile}", "--build-arg", f"BASE_IMAGE={self.base}"]
        built = run([*docker, "build", "--quiet", "--network", "host", *file, "--tag", image, folder], self.folder)
        return _sum(built, run([*docker, "push", "--quiet", image], self.folder))


def rows(scratch: Path, *, quick: bool) -> Iterator[Row]:
    """First release, nothing changed, a change of code; each beside docker, plain and with BuildKit."""
    wanted = ("/usr/bin/docker", "dockerd", "docker-registry", "mmdebstrap")
    absent = [program for program in wanted if not shutil.which(program)]
    if absent or os.geteuid() != 0:
        yield Row(_AREA, "not measured", (), note=f"not root, or not here: {', '.join(absent)}")
        return
    sizes = dict.fromkeys(_NAMES, 2 if quick else 20) | {"echo": 20 if quick else 600}
    with registry_at(scratch / "docker-registry") as host, daemon(scratch) as socket:
        base = run([sys.executable, "-c", _BASE, host], scratch).stdout.split()[-1]
        place = _Place(scratch / "docker-bundle", host, base, socket)
        _bundle(place, sizes)
        yield from _first(place, sum(sizes.values()))
        yield from _nothing(place)
        yield from _code(place, sizes["echo"])


def _first(place: _Place, megabytes: int) -> Iterator[Row]:
    what = f"{len(_NAMES)} components for the first time, {megabytes} MB of dependencies"
    ours = place.lockstep("build", "--push", "-o", "json")
    rivals = {}
    for kit in ("0", "1"):
        place.clear()
        rivals[kit] = _sum(*(place.rival(name, "Dockerfile", kit) for name in _NAMES))
    slow = (f"docker took {rivals['0'].seconds:.1f} s",) if ours.seconds > rivals["0"].seconds else ()
    yield Row(_AREA, f"lockstep: {what}", (ours,), note=_ratio(ours, rivals["0"]), faults=slow)
    yield Row(_AREA, "docker, plain: the same", (rivals["0"],))
    yield Row(_AREA, "docker, BuildKit: the same", (rivals["1"],), note=_ratio(ours, rivals["1"]))


def _nothing(place: _Place) -> Iterator[Row]:
    before = _disk(place)
    ours = run(["env", "DOCKER_HOST=unix:///nowhere", *LOCKSTEP, "build", "--push"], place.folder)
    faults = ("the registry has more than before",) if _disk(place) != before else ()
    yield Row(_AREA, "lockstep: nothing changed", (ours,), note="the daemon is not asked", faults=faults)


def _code(place: _Place, megabytes: int) -> Iterator[Row]:
    """Builders and registries have what they have from the last time; then one line changes."""
    for name in _NAMES:
        for kit in _KITS:
            place.rival(name, "Dockerfile", kit)
    ours = _changed(place, "one")
    note = "looks at all five, builds none; the daemon is not asked"
    yield Row(_AREA, f"lockstep: one line of code, beside {megabytes} MB", (ours,), note=note)
    for kit, named in _KITS.items():
        ran = place.rival("echo", "Dockerfile", kit)
        yield _beside(ours, ran, f"docker, {named}, layered: this component alone", 5 if kit == "0" else 0)
        every = _sum(ran, *(place.rival(name, "Dockerfile", kit) for name in _NAMES if name != "echo"))
        yield _beside(ours, every, f"docker, {named}, layered: all five, as by a pipeline without a plan", 0)
    run([sys.executable, "install.py", "site"], place.folder / "components/echo")  # Git ignores it
    for kit in _KITS:
        place.rival("echo", "OneCopy", kit)
    ours = _changed(place, "two")
    yield Row(_AREA, "lockstep: another line of code", (ours,), note=note)
    for kit, named in _KITS.items():
        ran = place.rival("echo", "OneCopy", kit)
        yield _beside(ours, ran, f"docker, {named}, one COPY: this component alone", 50 if kit == "0" else 0)


def _changed(place: _Place, word: str) -> Ran:
    """Ours after a line of code was added."""
    source = place.folder / "components/echo/src/echo/__init__.py"
    source.write_text(f"{source.read_text(encoding='utf-8')}\nCHANGED = '{word}'\n", encoding="utf-8")
    commit(place.folder, "another line of code")
    return run(["env", "DOCKER_HOST=unix:///nowhere", *LOCKSTEP, "build", "--push"], place.folder)


def _beside(ours: Ran, ran: Ran, what: str, least: float) -> Row:
    ratio = ran.seconds / ours.seconds
    slow = (f"{ratio:.1f} times as long as ours; at least {least:g} is the aim",) if ratio < least else ()
    return Row(_AREA, what, (ran,), note=_ratio(ours, ran), faults=slow)


def _bundle(place: _Place, sizes: dict[str, int]) -> None:
    """A bundle of five components whose dependencies are files, so that no package index is measured."""
    folder = place.folder
    lockstep(folder.parent, "init", str(folder))
    with (folder / ".gitignore").open("a", encoding="utf-8") as stream:
        stream.write("/components/*/site/\n")
    for name in _NAMES[2:]:
        shutil.copytree(folder / "components/echo", folder / "components" / name)
        component = folder / "components" / name / "component.yaml"
        text = component.read_text(encoding="utf-8").replace("name: echo", f"name: {name}")
        component.write_text(text, encoding="utf-8")
    bundle = folder / "lockstep.yaml"
    text = bundle.read_text(encoding="utf-8").replace("lockstep.local/", f"{place.host}/")
    text = text.replace('python: "3.11"', f'python: "3.11", base: "{place.base}"')
    bundle.write_text(f"{text}builder: docker\n", encoding="utf-8")
    for name, megabytes in sizes.items():
        own = folder / "components" / name
        (own / "Dockerfile").write_text(_LAYERED, encoding="utf-8")
        (own / "OneCopy").write_text(_ONE_COPY, encoding="utf-8")
        (own / ".dockerignore").write_text("OneCopy\nDockerfile\n", encoding="utf-8")
        (own / "install.py").write_text(_INSTALL.format(megabytes=megabytes, name=name), encoding="utf-8")
    commit(folder, "five components")


def _sum(*ran: Ran) -> Ran:
    """Several commands as if they were one."""
    most = max(one.megabytes for one in ran)
    return Ran(sum(one.seconds for one in ran), sum(one.cpu for one in ran), most, "")


def _ratio(ours: Ran, other: Ran) -> str:
    return f"docker takes {other.seconds / ours.seconds:.1f} times as long"


def _disk(place: _Place) -> int:
    """How many files the registry has for what is ours."""
    top = place.folder.parent / "docker-registry"
    return sum(1 for path in top.rglob("*") if path.is_file())
