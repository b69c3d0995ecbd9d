"""Argo CD in the node: its own manifests, its own programs, and every setting that is not stock with the reason."""

from __future__ import annotations

import secrets
from pathlib import Path

from cluster.agents.objects import Manifest, answering, apply, custom_objects, manifests, module_folder
from cluster.program import Program
from lockstep.adapters import files

NAMESPACE = "argocd"
APPLICATIONS = ("argoproj.io", "v1alpha1", "applications")
PROGRAMS = ("argocd-redis", "argocd-repo-server", "argocd-application-controller")
_MODULE = "github.com/argoproj/argo-cd/v3"
_CRDS = ("application", "appproject", "applicationset")
_CONFIG = ("cm", "cmd-params-cm", "gpg-keys-cm", "rbac-cm", "secret", "ssh-known-hosts-cm", "tls-certs-cm")
_VERIFY = "git-verify-wrapper.sh"  # the repo-server runs it whether or not signatures are checked
_LISTEN = ("--address", "127.0.0.1")

# What is not stock, and why. Polling stays stock (every 2 to 3 minutes): pushes are announced.
# The controller acts as the environment's own account, which may write the kinds of an environment and no others.
CONFIGURATION = {"application.sync.impersonation.enabled": "true"}
# No operation waits for a gate: the file says why.
HEALTH = Path(__file__).parents[3] / "charts" / "gitops" / "job-health.lua"
# Signatures are not checked here: no gpg and no keyring.
_BOTH = {"ARGOCD_GPG_ENABLED": "false"}
_CONTROLLER = {
    # It runs beside the cluster that it deploys to, not in a pod of it.
    "ARGOCD_FAKE_IN_CLUSTER": "true",
    "HOSTNAME": f"{PROGRAMS[2]}-0",
    # Stock sleeps 2 s between two waves, for kinds whose controllers are slow to say that they are not ready yet.
    # A Job is not Healthy before it is complete, so a gate cannot be overlooked.
    "ARGOCD_SYNC_WAVE_DELAY": "0",
}
# Both are in one network namespace; in a real installation they use TLS.
_PLAIN_SERVER, _PLAIN_CLIENT = ("--disable-tls", "--client-ca-path="), ("--repo-server-plaintext",)


def objects(module: Path, key: str) -> list[Manifest]:
    """Namespace, CRDs and configuration of Argo CD, from the manifests of its module.

    Args:
        module: The module's folder.
        key: What sessions are signed with; nobody logs in here, but the controller insists on one.
    """
    folder = module / "manifests"
    crds = manifests(folder / "crds" / f"{name}-crd.yaml" for name in _CRDS)
    config = manifests(folder / "base" / "config" / f"argocd-{name}.yaml" for name in _CONFIG)
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
    return [namespace, *crds, *(_changed(item, key) for item in config)]


def programs(kubeconfig: Path, work: Path) -> tuple[Program, ...]:
    """Redis, the repo-server and the application-controller. Pure.

    Args:
        kubeconfig: Access to the cluster.
        work: Folder for what they write, as the node sees it; the node's programs are in `bin` beside it.
    """
    redis = ("redis-server", "--save", "", "--appendonly", "no", "--bind", "127.0.0.1", "--port", "6379")
    common = ("--redis", "127.0.0.1:6379")
    folders = {
        "ARGOCD_TLS_DATA_PATH": f"{work}/tls",
        "ARGOCD_SSH_DATA_PATH": f"{work}/ssh",
        "ARGOCD_PLUGINSOCKFILEPATH": f"{work}/plugins",
        "TMPDIR": str(work / "scratch"),
        "PATH": f"{work}/bin:{work.parent}/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    }
    server = (PROGRAMS[1], *_LISTEN, "--port", "8081", "--metrics-address", "127.0.0.1", *common, *_PLAIN_SERVER)
    controller = (
        *(PROGRAMS[2], "--namespace", NAMESPACE, "--metrics-port", "8082"),
        *("--repo-server", "127.0.0.1:8081", *common, *_PLAIN_CLIENT),
    )
    return (
        Program(PROGRAMS[0], redis),
        Program(PROGRAMS[1], server, {**_BOTH, **folders}),
        Program(PROGRAMS[2], controller, {**_BOTH, **_CONTROLLER, "KUBECONFIG": str(kubeconfig)}),
    )


def install(kubeconfig: Path, work: Path) -> tuple[Program, ...]:
    """Argo CD's programs, to be started; the cluster knows its kinds and its configuration afterwards.

    Raises:
        OutsideError: its module cannot be had, or the cluster refused an object.
    """
    for name in ("bin", "tls", "ssh", "plugins", "scratch"):
        (work / name).mkdir(parents=True, exist_ok=True)
    module = module_folder(_MODULE)
    files.write(work / "bin" / _VERIFY, files.read(module / "hack" / _VERIFY))
    (work / "bin" / _VERIFY).chmod(0o755)
    apply(kubeconfig, objects(module, secrets.token_hex(16)), NAMESPACE)
    return programs(kubeconfig, work)


def refresh(kubeconfig: Path, repository: str) -> tuple[str, ...]:
    """The Applications of a repository, each asked to look at it now; Argo CD's webhook does the same.

    Raises:
        OutsideError: the API server does not answer.
    """
    with answering(kubeconfig):
        api = custom_objects(kubeconfig)
        items = api.list_namespaced_custom_object(*APPLICATIONS[:2], NAMESPACE, APPLICATIONS[2])["items"]
        names = tuple(each["metadata"]["name"] for each in items if each["spec"]["source"]["repoURL"] == repository)
        asked = {"metadata": {"annotations": {"argocd.argoproj.io/refresh": "normal"}}}
        for name in names:
            api.patch_namespaced_custom_object(*APPLICATIONS[:2], NAMESPACE, APPLICATIONS[2], name, asked)
    return names


def _changed(item: Manifest, key: str) -> Manifest:
    """A stock object with what is not stock."""
    name = item["metadata"]["name"]
    if name == "argocd-cm":
        health = {"resource.customizations.health.batch_Job": files.read(HEALTH).decode()}
        return {**item, "data": {**item.get("data", {}), **CONFIGURATION, **health}}
    if name == "argocd-secret":
        return {**item, "stringData": {"server.secretkey": key}}
    return item
