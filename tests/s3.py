"""A small S3 on this machine's loopback (moto's server), and the real DVC that asks it; both in .venv/dvc."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tiny import Tiny

PROGRAMS = Path(sys.prefix) / "dvc" / "bin"
_SERVER = """
import sys
from moto.server import ThreadedMotoServer
server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
server.start()
print(server.get_host_and_port()[1], flush=True)
sys.stdin.read()
"""
# moto lets nobody in who does not say who he is; it checks the signature only after `close_doors`.
_ANYBODY = "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0"


@dataclass(frozen=True)
class S3:
    """The server."""

    url: str

    def put(self, path: str, data: bytes = b"") -> None:
        """Makes a bucket or an object."""
        self._ask("PUT", path, data)

    def delete(self, path: str) -> None:
        """Removes an object."""
        self._ask("DELETE", path)

    def versions(self, bucket: str) -> None:
        """The bucket keeps every version of its objects."""
        text = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>"
        self._ask("PUT", f"{bucket}?versioning", text.encode())

    @contextlib.contextmanager
    def close_doors(self) -> Iterator[None]:
        """Whoever asks is unknown, as long as the block lasts."""
        self._ask("POST", "moto-api/reset-auth", b"0")
        try:
            yield
        finally:
            self._ask("POST", "moto-api/reset-auth", b"inf")

    def _ask(self, method: str, path: str, data: bytes | None = None) -> None:
        headers = {"authorization": _ANYBODY, "content-type": "application/octet-stream"}
        request = urllib.request.Request(f"{self.url}/{path}", data, headers, method=method)
        urllib.request.urlopen(request, timeout=60).close()


@contextlib.contextmanager
def serving_s3() -> Iterator[S3]:
    """The server, as long as the block lasts; it ends with us, however we end."""
    python = PROGRAMS / "python"
    assert python.exists(), "DVC and moto are not installed; run: bash tools/setup.sh dvc"
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    pipe, silent = subprocess.PIPE, subprocess.DEVNULL
    command = [python, "-c", _SERVER]
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=silent, env=environment) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        port = server.stdout.readline().decode().strip()
        assert port, "moto did not start"
        yield S3(f"http://127.0.0.1:{port}")
        server.stdin.close()


def set_dvc(patch: pytest.MonkeyPatch, folder: Path) -> None:
    """DVC is on the PATH, keeps to a folder, and says who it is to S3."""
    (folder / "aws").touch()
    for name, value in {
        "PATH": f"{PROGRAMS}{os.pathsep}{os.environ['PATH']}",
        "DVC_NO_ANALYTICS": "1",
        "DVC_SITE_CACHE_DIR": str(folder / "dvc-site"),
        "DVC_GLOBAL_CONFIG_DIR": str(folder / "dvc-global"),
        "DVC_SYSTEM_CONFIG_DIR": str(folder / "dvc-system"),
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_MAX_ATTEMPTS": "1",
        "AWS_CONFIG_FILE": str(folder / "aws"),
        "AWS_SHARED_CREDENTIALS_FILE": str(folder / "aws"),
        "AWS_EC2_METADATA_DISABLED": "true",
    }.items():
        patch.setenv(name, value)


def dvc(tiny: Tiny, *words: str) -> str:
    """What the real DVC says; it must succeed."""
    done = subprocess.run([PROGRAMS / "dvc", *words], cwd=tiny.folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def use_remote(tiny: Tiny, url: str, endpoint: str, *, version_aware: bool = False) -> None:
    """The bundle's default remote is a bucket."""
    lines = ["[core]", "    remote = far", "    analytics = false", "    check_update = false", "['remote \"far\"']",
             f"    url = {url}", f"    endpointurl = {endpoint}"]  # fmt: skip
    tiny.write(".dvc/config", "\n".join([*lines, *(["    version_aware = true"] if version_aware else [])]) + "\n")
