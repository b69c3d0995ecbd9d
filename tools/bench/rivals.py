"""What others need for the same bytes: `docker push` and skopeo, where this machine has them (apt-get install docker.io
skopeo). The daemon is started for the measurement, in folders of its own, and ended after it.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from bench.measure import CannotMeasure, Ran, run

_PATIENCE_SECONDS = 60  # until a daemon answers
_DOCKERFILE = "FROM scratch\nCOPY model.bin /weights/model.bin\n"


def docker_push(scratch: Path, weights: Path, host: str) -> Ran | None:
    """`docker push` of an image with these weights that the daemon has already; None without a daemon to start."""
    if not shutil.which("dockerd") or os.geteuid() != 0:
        return None
    context = scratch / "docker"
    context.mkdir()
    (context / "Dockerfile").write_text(_DOCKERFILE, encoding="utf-8")
    (context / "model.bin").hardlink_to(weights)
    with daemon(scratch) as socket:
        docker = ["/usr/bin/docker", "--host", f"unix://{socket}"]
        image = f"{host}/docker/weights:1"
        run([*docker, "build", "--quiet", "--tag", image, "."], context)
        return run([*docker, "push", "--quiet", image], context)


def skopeo_copy(store: Path, name: str, host: str) -> Ran | None:
    """`skopeo copy` of an image of a layout, digests kept; None without skopeo."""
    if not shutil.which("skopeo"):
        return None
    policy = ("--insecure-policy", "copy", "--quiet", "--preserve-digests", "--dest-tls-verify=false")
    return run(["skopeo", *policy, f"oci:{store}:{name}", f"docker://{host}/skopeo/weights:1"], store)


@contextlib.contextmanager
def daemon(scratch: Path) -> Iterator[Path]:
    """The socket of a Docker daemon with nothing in it and without a network of its own, as long as the block lasts."""
    folder, socket = scratch / "dockerd", scratch / "dockerd.sock"
    folder.mkdir()
    own = ["--data-root", str(folder / "data"), "--exec-root", str(folder / "exec"), "--pidfile", str(folder / "pid")]
    bare = ["--iptables=false", "--ip6tables=false", "--bridge=none"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            ["dockerd", *own, *bare, "--host", f"unix://{socket}"], stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
    try:
        deadline = time.monotonic() + _PATIENCE_SECONDS
        asking = ["/usr/bin/docker", "--host", f"unix://{socket}", "info"]
        while subprocess.run(asking, check=False, capture_output=True).returncode:
            if process.poll() is not None or time.monotonic() > deadline:
                tail = (folder / "log").read_text(errors="replace").strip()[-400:]
                raise CannotMeasure(f"the Docker daemon does not answer: {tail}")
            time.sleep(0.2)
        yield socket
    finally:
        process.terminate()
        process.wait()
        # A build on this machine's network leaves a mount behind.
        subprocess.run(["umount", str(folder / "exec/netns/default")], check=False, capture_output=True)
