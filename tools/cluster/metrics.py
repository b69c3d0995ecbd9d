"""The metrics-server as a program of the node: what a HorizontalPodAutoscaler asks for CPU and memory in use."""

from __future__ import annotations

from typing import Any

from cluster.addresses import NODE
from cluster.program import Program

USER = "lockstep:metrics-server"
PATH = "/apis/metrics.k8s.io/v1beta1"
_PORT = 4443
_KUBECONFIG = "/run/lockstep/etc/metrics-server.kubeconfig"
_RBAC = "/apis/rbac.authorization.k8s.io/v1"
_ROLES = "rbac.authorization.k8s.io"
_NAMED = {"name": "metrics-server"}
_SUBJECTS = [{"apiGroup": _ROLES, "kind": "User", "name": USER}]

PROGRAM = Program(
    "metrics-server",
    (
        *("metrics-server", f"--kubeconfig={_KUBECONFIG}", f"--authentication-kubeconfig={_KUBECONFIG}"),
        *(f"--authorization-kubeconfig={_KUBECONFIG}", f"--bind-address={NODE}", f"--secure-port={_PORT}"),
        *(
            "--cert-dir=/run/metrics-pki",
            "--metric-resolution=10s",
            "--kubelet-request-timeout=5s",
            "--kubelet-preferred-address-types=InternalIP",
        ),
        "--kubelet-insecure-tls",  # the kubelet signs its own certificate
    ),
)


def _role(name: str) -> dict[str, str]:
    return {"apiGroup": _ROLES, "kind": "ClusterRole", "name": name}


# As in metrics-server's own manifests, but for where it runs: a Service whose one endpoint is the node.
OBJECTS: tuple[tuple[str, dict[str, Any]], ...] = (
    (
        f"{_RBAC}/clusterroles",
        {
            "metadata": {"name": USER},
            "rules": [
                {"apiGroups": [""], "resources": ["nodes/metrics"], "verbs": ["get"]},
                {"apiGroups": [""], "resources": ["pods", "nodes"], "verbs": ["get", "list", "watch"]},
            ],
        },
    ),
    (
        f"{_RBAC}/clusterrolebindings",
        {"metadata": {"name": USER}, "roleRef": _role(USER), "subjects": _SUBJECTS},
    ),
    (
        f"{_RBAC}/clusterrolebindings",
        {"metadata": {"name": f"{USER}:tokens"}, "roleRef": _role("system:auth-delegator"), "subjects": _SUBJECTS},
    ),
    (
        f"{_RBAC}/namespaces/kube-system/rolebindings",
        {
            "metadata": _NAMED,
            "roleRef": {"apiGroup": _ROLES, "kind": "Role", "name": "extension-apiserver-authentication-reader"},
            "subjects": _SUBJECTS,
        },
    ),
    (
        "/api/v1/namespaces/kube-system/services",
        {"metadata": _NAMED, "spec": {"ports": [{"name": "https", "port": 443, "targetPort": _PORT}]}},
    ),
    (
        "/apis/discovery.k8s.io/v1/namespaces/kube-system/endpointslices",
        {
            "metadata": {**_NAMED, "labels": {"kubernetes.io/service-name": "metrics-server"}},
            "addressType": "IPv4",
            "ports": [{"name": "https", "port": _PORT, "protocol": "TCP"}],
            "endpoints": [{"addresses": [NODE], "conditions": {"ready": True}}],
        },
    ),
    (
        "/apis/apiregistration.k8s.io/v1/apiservices",
        {
            "metadata": {"name": "v1beta1.metrics.k8s.io"},
            "spec": {
                "group": "metrics.k8s.io",
                "version": "v1beta1",
                "groupPriorityMinimum": 100,
                "versionPriority": 100,
                "insecureSkipTLSVerify": True,
                "service": {**_NAMED, "namespace": "kube-system"},
            },
        },
    ),
)
