"""What this machine lends to a build: its CA certificates and its package index, so that no Dockerfile names them."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import urlsplit

from lockstep.adapters import files, process
from lockstep.oci.docker_archive import SECRETS, Lent

CERTIFICATES, PIP = "ca-certificates", "pip-conf"  # their names below /run/secrets, and for BuildKit
_BUNDLES = ("PIP_CERT", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE")  # variables that name a bundle, the first wins
_SYSTEM = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt")
_READ_BY = ("CURL_CA_BUNDLE", "GIT_SSL_CAINFO", "NODE_EXTRA_CA_CERTS", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE")
_INDEX = ("index-url", "extra-index-url", "trusted-host")
_SECTIONS = ("global", "install", ":env:")  # as pip has them, a later one wins
_LEAST = 8  # bytes of a text that is looked for: a shorter one is found anywhere


def lent_by(environment: Mapping[str, str]) -> Lent:
    """What a build on this machine may read: nothing that the machine does not say itself.

    Raises:
        OutsideError: the certificates cannot be read, or pip does not start.
    """
    bundle = _bundle(environment)
    index = dict(_index())
    lines = [f"{key} = {value}" for key, value in index.items()]
    lines += [f"cert = /{SECRETS}/{CERTIFICATES}"] if bundle else []
    lent = [(CERTIFICATES, files.read(bundle))] if bundle else []
    lent += [(PIP, "\n".join(["[global]", *lines, ""]).encode())] if lines else []
    variables = [f"{name}=/{SECRETS}/{CERTIFICATES}" for name in _READ_BY if bundle]
    variables += [f"PIP_CONFIG_FILE=/{SECRETS}/{PIP}"] if lines else []
    secrets = {text.encode() for value in index.values() for text in _secrets(value) if len(text) >= _LEAST}
    return Lent(tuple(lent), tuple(variables), tuple(sorted(secrets)))


def _bundle(environment: Mapping[str, str]) -> Path | None:
    named = [environment[name] for name in _BUNDLES if environment.get(name)]
    return next((Path(path) for path in (*named, *_SYSTEM) if Path(path).is_file()), None)


def _index() -> Iterator[tuple[str, str]]:
    """Where packages come from, as pip itself reads its files and variables."""
    said = process.checked([sys.executable, "-m", "pip", "config", "list"]).decode()
    values = dict(line.partition("=")[::2] for line in said.splitlines() if "=" in line)
    for key in _INDEX:
        found = [values[f"{section}.{key}"] for section in _SECTIONS if f"{section}.{key}" in values]
        if found:
            yield key, " ".join(str(ast.literal_eval(found[-1])).split())


def _secrets(value: str) -> Iterator[str]:
    """Each address as it is written, and its password."""
    for word in value.split():
        address = urlsplit(word)
        if address.scheme:
            yield word
            yield address.password or ""
