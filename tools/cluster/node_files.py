"""Every configuration file of the node, as text. Pure. Paths are as the node sees them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from cluster import metrics
from cluster.addresses import ALL, API, NODE, NODE_NAME, PODS, REGISTRY

_ETC, _PKI = "/run/lockstep/etc", "/run/lockstep/pki"
# File of the kubeconfig -> user and groups. Each has the rights of its role, as in any cluster.
USERS = {
    "admin": ("admin", "system:masters"),
    "controller-manager": ("system:kube-controller-manager", ""),
    "scheduler": ("system:kube-scheduler", ""),
    "kubelet": (f"system:node:{NODE_NAME}", "system:nodes"),
    "kube-proxy": ("system:kube-proxy", ""),
    "coredns": ("lockstep:coredns", ""),
    "metrics-server": (metrics.USER, ""),
}


def texts(tokens: Mapping[str, str], authority: str, pause: str, group: str) -> dict[str, str]:
    """Path below the state folder's etc/ and text of every file.

    Args:
        tokens: For each of USERS its secret.
        authority: The certificate authority's certificate, base64 of PEM.
        pause: Reference by digest of the image that holds a pod's namespaces.
        group: The node's control group.
    """
    return {
        **{f"{user}.kubeconfig": kubeconfig(tokens[user], authority) for user in USERS},
        "tokens.csv": "".join(f'{tokens[key]},{name},{key},"{group}"\n' for key, (name, group) in USERS.items()),
        "kubelet.yaml": _text({**_KUBELET, "cgroupRoot": f"/{group}", "kubeletCgroups": f"/{group}/node"}),
        "kube-proxy.yaml": _text(_PROXY),
        "registry.yaml": _text(_REGISTRY),
        "cni/10-lockstep.conflist": _text(_CNI),
        "containerd.toml": _CONTAINERD.replace("PAUSE", pause),
        f"certs.d/{REGISTRY}/hosts.toml": _HOSTS,
        "Corefile": _COREFILE,
    }


def kubeconfig(token: str, authority: str) -> str:
    """Access to the API server with a token."""
    cluster = {"server": API, "certificate-authority-data": authority}
    return _text({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "lockstep", "cluster": cluster}],
        "users": [{"name": "lockstep", "user": {"token": token}}],
        "contexts": [{"name": "lockstep", "context": {"cluster": "lockstep", "user": "lockstep"}}],
        "current-context": "lockstep",
    })  # fmt: skip


def _text(value: Any) -> str:
    """JSON is YAML, and says nothing twice."""
    return json.dumps(value, indent=1) + "\n"


# Where a limit may not be raised (no CAP_SYS_RESOURCE, as in many containers) each program is told not to try.
_KUBELET = {
    "apiVersion": "kubelet.config.k8s.io/v1beta1",
    "kind": "KubeletConfiguration",
    "address": NODE,
    "authentication": {"webhook": {"enabled": True}, "x509": {"clientCAFile": f"{_PKI}/ca.crt"}},
    "authorization": {"mode": "Webhook"},
    "cgroupDriver": "cgroupfs",
    "clusterDNS": [NODE],
    "clusterDomain": "cluster.local",
    "containerRuntimeEndpoint": "unix:///run/containerd/containerd.sock",
    "enforceNodeAllocatable": [],
    "evictionHard": {"memory.available": "100Mi"},
    "failCgroupV1": False,
    "failSwapOn": False,
    "imageGCHighThresholdPercent": 100,  # never: the disk is shared with whatever else this machine does
    "maxOpenFiles": 20000,
    "maxPods": 200,
    "oomScoreAdj": 0,
    "registryPullQPS": 0,
    "resolvConf": "",  # the machine's name servers are out of reach from inside
    "serializeImagePulls": False,
    "volumePluginDir": "/run/kubelet-plugins",
}
_PROXY = {
    "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
    "kind": "KubeProxyConfiguration",
    "clientConnection": {"kubeconfig": f"{_ETC}/kube-proxy.kubeconfig"},
    "mode": "nftables",
    "hostnameOverride": NODE_NAME,
    # This machine counts as local: its connections keep their address, and do not share the node's ports.
    "clusterCIDR": ALL,
    "conntrack": {"maxPerCore": 0, "min": 0},
    "oomScoreAdj": 0,
    "healthzBindAddress": "127.0.0.1:10256",
    "metricsBindAddress": "127.0.0.1:10249",
}
_REGISTRY = {
    "version": 0.1,
    "log": {"level": "warn", "accesslog": {"disabled": True}},
    "storage": {"filesystem": {"rootdirectory": "/run/lockstep/registry"}, "delete": {"enabled": True}},
    "http": {"addr": REGISTRY, "secret": "of one node, on one machine"},
}
_CNI = {
    "cniVersion": "1.0.0",
    "name": "lockstep",
    "plugins": [
        {
            "type": "ptp",
            "ipam": {
                "type": "host-local",
                "dataDir": "/run/cni-addresses",
                "ranges": [[{"subnet": PODS}]],
                "routes": [{"dst": "0.0.0.0/0"}],
            },
        }
    ],
}
_CONTAINERD = """\
version = 3
root = '/run/lockstep/containerd'
state = '/run/containerd'
oom_score = 0
disabled_plugins = ['io.containerd.internal.v1.opt', 'io.containerd.nri.v1.nri']
[grpc]
  address = '/run/containerd/containerd.sock'
[plugins.'io.containerd.cri.v1.images'.pinned_images]
  sandbox = 'PAUSE'
[plugins.'io.containerd.cri.v1.images'.registry]
  config_path = '/run/lockstep/etc/certs.d'
[plugins.'io.containerd.cri.v1.runtime']
  restrict_oom_score_adj = true
[plugins.'io.containerd.cri.v1.runtime'.cni]
  bin_dirs = ['/usr/lib/cni']
  conf_dir = '/run/lockstep/etc/cni'
[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc]
  runtime_type = 'io.containerd.runc.v2'
[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc.options]
  SystemdCgroup = false
"""
_HOSTS = f"""\
server = 'http://{REGISTRY}'
[host.'http://{REGISTRY}']
  capabilities = ['pull', 'resolve']
"""
_COREFILE = f"""\
.:53 {{
  bind {NODE}
  errors
  health 127.0.0.1:8053
  kubernetes cluster.local in-addr.arpa {{
    kubeconfig {_ETC}/coredns.kubeconfig lockstep
    ttl 5
  }}
}}
"""
# Made once the API server answers, at these paths: what CoreDNS may read.
_RBAC = "/apis/rbac.authorization.k8s.io/v1"
OBJECTS: tuple[tuple[str, dict[str, Any]], ...] = (
    (
        f"{_RBAC}/clusterroles",
        {
            "metadata": {"name": "lockstep:coredns"},
            "rules": [
                {"apiGroups": [""], "resources": ["services", "pods", "namespaces"], "verbs": ["list", "watch"]},
                {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": ["list", "watch"]},
            ],
        },
    ),
    (
        f"{_RBAC}/clusterrolebindings",
        {
            "metadata": {"name": "lockstep:coredns"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "lockstep:coredns"},
            "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": USERS["coredns"][0]}],
        },
    ),
)
