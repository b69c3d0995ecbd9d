"""A model that is an image already, in the cluster's registry: a node mounts it, and its folder is where a pod is told.

No agent: `kubectl apply` of the literal file of the model's instance.
"""

from __future__ import annotations

import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster.running import Running
from lockstep.cli.main import main
from named_weights import bundle_with, model_image, staged
from tiny import Tiny, set_identity, with_base

pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def tiny(cluster: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tiny:
    """The tiny bundle on the cluster's base image; its model is in the cluster's registry."""
    set_identity(monkeypatch)
    host = f"{cluster.registry}/weights-{uuid.uuid4().hex[:6]}"
    tiny = bundle_with(model_image(host, tmp_path / "store", b"a model"), host, tmp_path / "bundle")
    with_base(tiny, cluster.base)
    return tiny


class Namespace:
    """A namespace of its own, for as long as a test lasts."""

    def __init__(self, cluster: Running) -> None:
        self.name = f"weights-{uuid.uuid4().hex[:6]}"
        self._command = [
            str(cluster.programs / "kubectl"),
            f"--kubeconfig={cluster.kubeconfig}",
            f"--namespace={self.name}",
        ]

    def kubectl(self, *words: str) -> str:
        """Standard output of kubectl, which must succeed."""
        done = subprocess.run([*self._command, *words], capture_output=True, text=True, check=False, timeout=200)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()


@pytest.fixture
def namespace(cluster: Running) -> Iterator[Namespace]:
    made = Namespace(cluster)
    made.kubectl("create", "namespace", made.name)
    yield made
    made.kubectl("delete", "namespace", made.name, "--wait=false")


def test_a_node_mounts_it_and_the_program_finds_its_folder(tiny: Tiny, namespace: Namespace) -> None:
    for words in (
        ["release", "1.0.0", "--plain-http"],
        ["push", "1.0.0", "--plain-http"],
        ["stage", "staging", "1.0.0"],
    ):
        assert main([*words, "-C", str(tiny.folder)]) == 0
    model = staged(tiny)["model"]

    namespace.kubectl("apply", f"--filename={tiny.folder}/releases/staging/instances/{model}.yaml")
    namespace.kubectl("wait", "--for=condition=Available", f"deployment/{model}", "--timeout=180s")
    script = 'cat "$LOCKSTEP_WEIGHTS/model.bin" && ! touch "$LOCKSTEP_WEIGHTS/x" 2>/dev/null'

    assert namespace.kubectl("exec", f"deployment/{model}", "--", "sh", "-c", script) == "a model"
