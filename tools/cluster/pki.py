"""Keys and certificates of one node's life, made by openssl."""

from __future__ import annotations

from pathlib import Path

from cluster.addresses import API_SERVICE, NODE
from lockstep.adapters import files, process

_NAMES = "DNS:localhost,DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc"
_NEW = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "3650")


def make(folder: Path) -> None:
    """Nothing; the folder then holds ca, api, admin and aggregator, each with .crt and .key, and sa.key.

    `admin` is what the API server shows to the kubelet, `aggregator` to servers of further APIs;
    sa.key signs the tokens of service accounts.
    """
    files.put_folder(folder)
    folder.chmod(0o700)
    _openssl(folder, "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", "sa.key")
    authority = ("-keyout", "ca.key", "-out", "ca.crt", "-subj", "/CN=lockstep-cluster")
    _openssl(folder, "req", "-x509", *_NEW, *authority)
    _signed(folder, "api", "/CN=kube-apiserver", f"subjectAltName={_NAMES},IP:127.0.0.1,IP:{NODE},IP:{API_SERVICE}")
    _signed(folder, "admin", "/O=system:masters/CN=lockstep-admin", "extendedKeyUsage=clientAuth")
    _signed(folder, "aggregator", "/CN=lockstep-aggregator", "extendedKeyUsage=clientAuth")


def _signed(folder: Path, name: str, subject: str, extension: str) -> None:
    own = ("-keyout", f"{name}.key", "-out", f"{name}.crt", "-subj", subject, "-addext", extension)
    _openssl(
        folder,
        "req",
        "-x509",
        *_NEW,
        "-CA",
        "ca.crt",
        "-CAkey",
        "ca.key",
        *own,
        "-addext",
        "basicConstraints=critical,CA:false",
    )


def _openssl(folder: Path, *arguments: str) -> None:
    process.checked(["openssl", *arguments], folder=folder)
