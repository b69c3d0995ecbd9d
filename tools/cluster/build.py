"""Programs built from our own Go module, whose go.sum pins every source; kept in a cache under content-made names."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from lockstep.adapters import files, process
from lockstep.core.errors import OutsideError, UsageError

_GO = Path(__file__).parent / "go"
# Sums are pinned, nothing is changed while building, and neither clock nor checkout enters the programs.
FLAGS = ("-mod=readonly", "-trimpath", "-buildvcs=false")
_CONTAINERD = "github.com/containerd/containerd/v2"
_KUBERNETES = "k8s.io/component-base/version"
Say = Callable[[str], None]


@dataclass(frozen=True)
class Target:
    """One program that the Go module tools/cluster/go makes.

    Args:
        name: The program's file.
        package: Its Go package; one of ours begins with `./`, the others are `tool` lines of go.mod.
        stamps: Variables set by the linker: what the program says when asked for its version.
        parts: Further names it has, where it looks at the name it was called by.
    """

    name: str
    package: str
    stamps: tuple[str, ...] = ()
    parts: tuple[str, ...] = ()


NODE = (
    Target(
        "kubernetes",
        "./kubernetes",
        (f"{_KUBERNETES}.gitVersion=v1.36.3", f"{_KUBERNETES}.gitMajor=1", f"{_KUBERNETES}.gitMinor=36"),
        ("kube-apiserver", "kube-controller-manager", "kube-proxy", "kube-scheduler", "kubectl", "kubelet"),
    ),
    Target("pause", "./pause"),
    Target("containerd", f"{_CONTAINERD}/cmd/containerd", (f"{_CONTAINERD}/version.Version=v2.3.7",)),
    Target("containerd-shim-runc-v2", f"{_CONTAINERD}/cmd/containerd-shim-runc-v2"),
    Target("coredns", "./coredns"),
)
_HELM = Target("helm", "helm.sh/helm/v4/cmd/helm")
_ARGOCD = Target(
    "argocd",
    "./argocd",
    ("github.com/argoproj/argo-cd/v3/common.version=3.5.3",),
    ("argocd-application-controller", "argocd-git-ask-pass", "argocd-repo-server"),
)
METRICS = Target("metrics-server", "sigs.k8s.io/metrics-server/cmd/metrics-server")
FOR_AGENT = {
    "argocd": (_HELM, _ARGOCD),
    "flux": (_HELM, Target("kustomize-controller", "github.com/fluxcd/kustomize-controller")),
}


def cache() -> Path:
    """The folder that outlives clones: `$XDG_CACHE_HOME/lockstep/cluster`."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "lockstep" / "cluster"


def key_of(target: Target, inputs: Iterable[tuple[str, bytes]], go: str) -> str:
    """The name of a build: equal inputs, equal name; sixteen hex digits of a sha256. Pure.

    Args:
        target: What is built.
        inputs: Path and bytes of go.mod, go.sum and of our own files of this program.
        go: What `go env` says of version and machine.
    """
    read = [[path, hashlib.sha256(data).hexdigest()] for path, data in sorted(inputs)]
    said = [target.name, target.package, target.stamps, target.parts, FLAGS, go, read]
    return hashlib.sha256(json.dumps(said).encode()).hexdigest()[:16]


def built(targets: Iterable[Target], say: Say) -> dict[str, Path]:
    """Every program and each of its names with the file, built now where the cache has none.

    Raises:
        UsageError: Go is not installed.
        OutsideError: a build failed; carries the compiler's words.
    """
    if not shutil.which("go"):
        raise UsageError("Go is not installed", where="PATH", fix="install Go 1.26 or newer from https://go.dev/dl")
    go = process.checked(["go", "env", "GOVERSION", "GOOS", "GOARCH", "GOAMD64"], folder=_GO).decode()
    wanted = {target: cache() / f"{target.name}-{key_of(target, _inputs(target), go)}" for target in targets}
    missing = [target for target, folder in wanted.items() if not folder.is_dir()]
    for number, target in enumerate(missing, 1):
        said = f"build {number} of {len(missing)}: {target.name}"
        say(f"{said} …")
        with (
            _elapsed(said, say),
            files.locked(cache() / "build.lock"),
        ):  # two builds at once are slower than two in turn
            if not wanted[target].is_dir():
                with files.new_folder(wanted[target]) as folder:
                    _build(target, folder)
    return {file.name: file for folder in wanted.values() for file in sorted(folder.iterdir())}


def _inputs(target: Target) -> list[tuple[str, bytes]]:
    own = sorted((_GO / target.package).glob("*.go")) if target.package.startswith("./") else []
    paths = [_GO / "go.mod", _GO / "go.sum", *own]
    return [(path.relative_to(_GO).as_posix(), files.read(path)) for path in paths]


def _build(target: Target, folder: Path) -> None:
    linker = " ".join(["-s", "-w", *(f"-X {stamp}" for stamp in target.stamps)])
    done = process.run(
        ["go", "build", *FLAGS, "-ldflags", linker, "-o", str(folder / target.name), target.package],
        folder=_GO,
        environment={"CGO_ENABLED": "0", "GOFLAGS": "", "GOWORK": "off", "GOGC": "400"},  # memory for time
    )
    if done.code:
        raise OutsideError(
            f"go build {target.package} failed: {done.stderr.decode(errors='replace').strip()[-2000:]}",
            where=str(_GO),
            fix="see the compiler's message; a network error is worth another try: make cluster",
        )
    for part in target.parts:
        files.put_link(folder / part, target.name)


@contextmanager
def _elapsed(said: str, say: Say) -> Iterator[None]:
    """Says every 20 seconds how long it has taken so far, and at the end how long it took."""
    begun, over = time.monotonic(), threading.Event()

    def tell() -> None:
        while not over.wait(20):
            say(f"{said}: {time.monotonic() - begun:.0f} s so far")

    teller = threading.Thread(target=tell, daemon=True)
    teller.start()
    try:
        yield
        say(f"{said}: done in {time.monotonic() - begun:.0f} s")
    finally:
        over.set()
        teller.join()
