"""A stand-in for Flux's source-controller, which cannot be built here: gives kustomize-controller its artifacts.

Run as `python -m cluster.agents.source`. For every GitRepository with a file:// url it makes the archive of the branch,
serves it, and writes the object's status, at the object's own interval and at once when it is told (POST /hook, what a
Receiver does in a real Flux). It verifies no signatures and reads no remote repository.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import http.server
import json
import re
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

from cluster.agents.flux import PORT
from cluster.agents.objects import custom_objects
from lockstep.adapters import files, process
from lockstep.core.errors import LockstepError, OutsideError

KIND = ("source.toolkit.fluxcd.io", "v1", "gitrepositories")

_KEPT = 3  # archives per repository: the newest, and those that a slow reader may still be fetching
_DURATION = re.compile(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?")


@dataclass(frozen=True)
class Wanted:
    """What one GitRepository asks for.

    Args:
        namespace: Of the object.
        name: Of the object.
        generation: Of the object, as its status must repeat it.
        url: Of the Git repository, file://….
        branch: Whose head is wanted.
        folders: What of it; empty means everything.
        interval: Seconds between looks.
        revision: What the status says now; empty if nothing, or about an older generation.
    """

    namespace: str
    name: str
    generation: int
    url: str
    branch: str
    folders: tuple[str, ...]
    interval: float
    revision: str


@dataclass(frozen=True)
class Archive:
    """A finished artifact: its revision as Flux writes it, its digest, its file below the served folder."""

    revision: str
    digest: str
    path: str
    size: int


def parse_wanted(item: Mapping[str, Any]) -> Wanted | None:
    """What a GitRepository object asks for; None when its url is not a local one, or it is suspended. Pure."""
    spec, metadata, said = item["spec"], item["metadata"], item.get("status", {})
    if urlparse(spec["url"]).scheme != "file" or spec.get("suspend"):
        return None
    current = said.get("observedGeneration") == metadata["generation"]
    return Wanted(
        namespace=metadata["namespace"],
        name=metadata["name"],
        generation=metadata["generation"],
        url=spec["url"],
        branch=spec.get("ref", {}).get("branch", "master"),
        folders=tuple(spec.get("sparseCheckout", ())),
        interval=seconds(spec["interval"]),
        revision=said.get("artifact", {}).get("revision", "") if current else "",
    )


def seconds(text: str) -> float:
    """A Go duration such as 1m30s, in seconds. Pure.

    Raises:
        ValueError: it is not hours, minutes and seconds.
    """
    found = _DURATION.fullmatch(text)
    if not text or not found:
        raise ValueError(f"{text!r} is not a duration such as 1m30s")
    hours, minutes, rest = (int(part or 0) for part in found.groups())
    return hours * 3600 + minutes * 60 + rest


def archive(wanted: Wanted, folder: Path) -> Archive:
    """The archive of what is wanted, made below `folder` unless it is there. Equal commits give equal bytes.

    Raises:
        OutsideError: the repository or the branch is not there.
    """
    git = ["git", "-c", "safe.directory=*", "-C", urlparse(wanted.url).path]
    commit = process.checked([*git, "rev-parse", "--verify", f"refs/heads/{wanted.branch}"]).decode().strip()
    own = hashlib.sha256("\0".join(wanted.folders).encode()).hexdigest()[:8]
    path = Path(wanted.namespace) / wanted.name / f"{commit}-{own}.tar.gz"
    if not (folder / path).is_file():
        present = [
            each for each in wanted.folders if process.run([*git, "cat-file", "-e", f"{commit}:{each}"]).code == 0
        ]
        if wanted.folders and not present:
            raise OutsideError(
                f"{wanted.branch} holds none of {', '.join(wanted.folders)}",
                where=wanted.url,
                fix="lockstep stage VERSION --environment NAME, then push",
            )
        plain = process.checked([*git, "archive", "--format=tar", commit, "--", *present])
        files.write(folder / path, gzip.compress(plain, compresslevel=1, mtime=0))
        _forget_old((folder / path).parent)
    data = files.read(folder / path)
    digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
    return Archive(f"{wanted.branch}@sha1:{commit}", digest, path.as_posix(), len(data))


def status(wanted: Wanted, made: Archive | LockstepError, base: str, now: str) -> dict[str, Any]:
    """The status of a GitRepository whose artifact was made, or could not be. Pure.

    Args:
        wanted: What it asks for.
        made: The artifact, or why there is none.
        base: Address of the server.
        now: UTC, as in 2026-01-02T03:04:05Z.
    """
    failed = isinstance(made, LockstepError)
    condition = {
        "type": "Ready",
        "status": "False" if failed else "True",
        "reason": "GitOperationFailed" if failed else "Succeeded",
        "message": str(made) if isinstance(made, LockstepError) else f"stored artifact for revision '{made.revision}'",
        "observedGeneration": wanted.generation,
        "lastTransitionTime": now,
    }
    said: dict[str, Any] = {"observedGeneration": wanted.generation, "conditions": [condition]}
    if isinstance(made, Archive):
        said["artifact"] = {
            "digest": made.digest,
            "lastUpdateTime": now,
            "path": made.path,
            "revision": made.revision,
            "size": made.size,
            "url": f"{base}/{made.path}",
        }
    return {"status": said}


class Source:
    """The loop and what it remembers: when each repository was looked at last."""

    def __init__(self, kubeconfig: Path, folder: Path, base: str) -> None:
        """A source that serves `folder` at the address `base`."""
        self._api = custom_objects(kubeconfig)
        self._folder, self._base = folder, base
        self._looked: dict[tuple[str, str, int], float] = {}
        self._one = threading.Lock()

    def look(self, told: str | None = None) -> list[str]:
        """Publishes what is new in the repositories that are due, or in the one that was told of; a line for each."""
        with self._one:
            items = self._api.list_cluster_custom_object(*KIND)["items"]
            found = [wanted for item in items if (wanted := parse_wanted(item))]
            chosen = [wanted for wanted in found if (self._due(wanted) if told is None else told == wanted.url)]
            return [self._publish(wanted) for wanted in chosen]

    def _due(self, wanted: Wanted) -> bool:
        before = self._looked.get((wanted.namespace, wanted.name, wanted.generation))
        return before is None or time.monotonic() - before >= wanted.interval

    def _publish(self, wanted: Wanted) -> str:
        self._looked[wanted.namespace, wanted.name, wanted.generation] = time.monotonic()
        made: Archive | LockstepError
        try:
            made = archive(wanted, self._folder)
        except LockstepError as error:
            made = error
        if not isinstance(made, Archive) or made.revision != wanted.revision:
            body = status(wanted, made, self._base, datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"))
            self._api.patch_namespaced_custom_object_status(*KIND[:2], wanted.namespace, KIND[2], wanted.name, body)
        said = made.revision if isinstance(made, Archive) else str(made)
        return f"{wanted.namespace}/{wanted.name}: {said}"


def main() -> None:
    """Serves until it is ended."""
    parser = argparse.ArgumentParser(prog="python -m cluster.agents.source", description=__doc__)
    parser.add_argument("--kubeconfig", type=Path, required=True)
    parser.add_argument("--folder", type=Path, required=True, help="where archives are kept")
    parser.add_argument("--address", required=True, help="address to listen on, as kustomize-controller reaches it")
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    source = Source(given.kubeconfig, given.folder, f"http://{given.address}:{PORT}")
    server = http.server.ThreadingHTTPServer((given.address, PORT), _handler(source, given.folder))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    while True:
        try:
            for line in source.look():
                print(line, flush=True)
        except Exception as error:  # noqa: BLE001 - the API server may be away; the next look tries again
            print(f"cannot look now: {error}", file=sys.stderr, flush=True)
        time.sleep(1)


def _handler(source: Source, folder: Path) -> type[http.server.BaseHTTPRequestHandler]:
    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *given: Any) -> None:
            super().__init__(*given, directory=str(folder))

        def do_POST(self) -> None:
            """Looks at the repository that the body names; answers when its archive is published."""
            repository = self.rfile.read(int(self.headers["content-length"])).decode()
            try:
                code, said = 200, source.look(repository)
            except Exception as error:  # noqa: BLE001 - whoever asked is told
                code, said = 502, [str(error)]
            body = json.dumps(said).encode()
            self.send_response(code)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    return Handler


def _forget_old(folder: Path) -> None:
    archives = sorted(folder.glob("*.tar.gz"), key=lambda path: path.stat().st_mtime_ns)
    for path in archives[:-_KEPT]:
        files.remove(path)


if __name__ == "__main__":
    main()
