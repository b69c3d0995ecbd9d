"""The programs of the node and their options. Pure. Paths are as the node sees them."""

from __future__ import annotations

from cluster.addresses import API, NODE, NODE_NAME, SERVICES
from cluster.program import Program

ETC, PKI = "/run/lockstep/etc", "/run/lockstep/pki"


def stores() -> tuple[Program, ...]:
    """What the API server and the kubelet need first, and the API server itself, which waits for etcd."""
    etcd = (
        *("etcd", "--data-dir", "/run/etcd", "--logger", "zap"),
        *("--listen-client-urls", "http://127.0.0.1:2379", "--advertise-client-urls", "http://127.0.0.1:2379"),
        *("--listen-peer-urls", "http://127.0.0.1:2380", "--unsafe-no-fsync"),  # nothing in it outlives the node
    )
    return (
        Program("registry", ("docker-registry", "serve", f"{ETC}/registry.yaml"), {"OTEL_TRACES_EXPORTER": "none"}),
        Program("etcd", etcd),
        Program("containerd", ("containerd", "-c", f"{ETC}/containerd.toml")),
        Program("kube-apiserver", _api_server()),
    )


def kubernetes() -> tuple[Program, ...]:
    """What needs a ready API server."""
    manager = (
        *("kube-controller-manager", f"--kubeconfig={ETC}/controller-manager.kubeconfig"),
        *("--use-service-account-credentials", f"--service-account-private-key-file={PKI}/sa.key"),
        *(f"--root-ca-file={PKI}/ca.crt", "--leader-elect=false", "--bind-address=127.0.0.1"),
        "--flex-volume-plugin-dir=/run/flex-volumes",  # else it makes a folder in /usr
    )
    scheduler = (
        *("kube-scheduler", f"--kubeconfig={ETC}/scheduler.kubeconfig"),
        *("--leader-elect=false", "--bind-address=127.0.0.1"),
    )
    kubelet = (
        *("kubelet", f"--config={ETC}/kubelet.yaml", f"--kubeconfig={ETC}/kubelet.kubeconfig"),
        *(f"--hostname-override={NODE_NAME}", f"--node-ip={NODE}", "--root-dir=/var/lib/kubelet"),
        "--cert-dir=/run/kubelet-pki",
    )
    return (
        Program("kubelet", kubelet),
        Program("kube-controller-manager", manager),
        Program("kube-scheduler", scheduler),
        Program("kube-proxy", ("kube-proxy", f"--config={ETC}/kube-proxy.yaml")),
        Program("coredns", ("coredns", "-conf", f"{ETC}/Corefile")),
    )


def _api_server() -> tuple[str, ...]:
    return (
        "kube-apiserver",
        *("--etcd-servers=http://127.0.0.1:2379", f"--service-cluster-ip-range={SERVICES}"),
        *(f"--advertise-address={NODE}", "--bind-address=0.0.0.0", "--secure-port=6443"),
        *(f"--tls-cert-file={PKI}/api.crt", f"--tls-private-key-file={PKI}/api.key", f"--client-ca-file={PKI}/ca.crt"),
        *(f"--token-auth-file={ETC}/tokens.csv", "--authorization-mode=Node,RBAC"),
        *("--enable-admission-plugins=NodeRestriction", "--allow-privileged"),
        *(f"--service-account-issuer={API}", f"--service-account-key-file={PKI}/sa.key"),
        f"--service-account-signing-key-file={PKI}/sa.key",
        # Logs, exec and port-forward go to the kubelet by its address: no name of the node is known anywhere.
        "--kubelet-preferred-address-types=InternalIP",
        *(f"--kubelet-client-certificate={PKI}/admin.crt", f"--kubelet-client-key={PKI}/admin.key"),
        # Who asked is handed on to the servers of further APIs (metrics) in headers, as in every cluster.
        *(f"--requestheader-client-ca-file={PKI}/ca.crt", "--requestheader-allowed-names=lockstep-aggregator"),
        *("--requestheader-username-headers=X-Remote-User", "--requestheader-group-headers=X-Remote-Group"),
        *("--requestheader-extra-headers-prefix=X-Remote-Extra-", f"--proxy-client-cert-file={PKI}/aggregator.crt"),
        f"--proxy-client-key-file={PKI}/aggregator.key",
    )
