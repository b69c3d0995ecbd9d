"""The Debian packages that a node is made of beside what is built from source."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable

from lockstep.adapters import process
from lockstep.core.errors import OutsideError, UsageError

# Package -> why it is needed.
NODE = {
    "conntrack": "kube-proxy forgets connections of endpoints that are gone",
    "containernetworking-plugins": "gives pods their addresses",
    "docker-registry": "the registry",
    "etcd-server": "what the API server remembers",
    "iproute2": "joins the node's network to the machine's",
    "mmdebstrap": "makes the base image",
    "nftables": "kube-proxy's rules",
    "openssl": "certificates of the API server",
    "runc": "starts containers",
}
CI = {
    "docker-registry": "the registry that pipelines push to",
    "rsync": "gitlab-ci-local copies what artifacts name",
}
FOR_AGENT = {"argocd": {"gnupg": "Argo CD's keyring", "redis-server": "Argo CD's cache"}, "flux": {}}


def missing(wanted: dict[str, str]) -> list[str]:
    """Those of the packages that this machine does not have, sorted.

    Raises:
        UsageError: not a Debian-like machine.
    """
    if not shutil.which("dpkg-query"):
        raise UsageError(
            "packages are installed with apt-get, which this machine has not",
            fix="use a Debian or Ubuntu machine, or another provider: python -m cluster up --provider existing",
        )
    said = process.run(["dpkg-query", "-W", "-f", "${Package} ${db:Status-Status}\n", *wanted]).stdout.decode()
    present = {line.split()[0] for line in said.splitlines() if line.endswith(" installed")}
    return sorted(set(wanted) - present)


def install(wanted: dict[str, str], say: Callable[[str], None]) -> None:
    """Nothing; afterwards the packages are there. Says which ones are new and why.

    apt-get runs as the first process of a process namespace of its own with an empty /run: whatever server a
    package starts when it is installed ends with it, and systemd is neither seen nor asked.

    Raises:
        OutsideError: apt-get failed.
    """
    absent = missing(wanted)
    if not absent:
        return
    for name in absent:
        say(f"installing the Debian package {name}: {wanted[name]}")
    if os.geteuid() != 0:
        raise UsageError("installing packages needs root", fix=f"sudo apt-get install --yes {' '.join(absent)}")
    script = "mount -t tmpfs tmpfs /run && mkdir -p /run/lock && apt-get {} </dev/null"
    for step in ("update --quiet", f"install --yes --quiet --no-install-recommends {' '.join(absent)}"):
        done = process.run(
            [
                "unshare",
                "--pid",
                "--fork",
                "--mount-proc",
                "--kill-child",
                "sh",
                "-c",
                f"exec 2>&1; {script.format(step)}",
            ],
            environment={"DEBIAN_FRONTEND": "noninteractive"},
        )
        if done.code:
            raise OutsideError(
                f"apt-get failed: {done.stdout.decode(errors='replace').strip()[-1500:]}",
                where=f"apt-get {step}",
                fix=f"apt-get update && apt-get install {' '.join(absent)}",
            )
