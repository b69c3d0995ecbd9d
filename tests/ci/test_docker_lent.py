"""What this machine lends to a build is there while it builds, and in nothing that comes of it."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from ci.docker_daemon import DOCKERFILE, Place
from debian_registry import DebianRegistry

pytest_plugins = ("ci.docker_fixtures",)
PASSWORD = "hunter2-never-said"  # noqa: S105 - planted
INDEX = f"https://ada:{PASSWORD}@index.example.org/simple"
_ASKS = """\
RUN python3 -c "import os, ssl; \\
    print('INDEX', len(open(os.environ['PIP_CONFIG_FILE']).read().split('index-url = ')[1].split()[0])); \\
    print('LENT', len(open(os.environ['SSL_CERT_FILE']).read())); \\
    ssl.create_default_context(cafile=os.environ['SSL_CERT_FILE'])"
ENV"""


@pytest.fixture
def lending(tmp_path: Path) -> dict[str, str]:
    """Variables of a machine with a package index behind a login, and an authority of its own."""
    path, key, conf = tmp_path / "own.pem", tmp_path / "key.pem", tmp_path / "pip.conf"
    subject = ("-subj", "/CN=planted-authority", "-days", "2", "-nodes", "-newkey", "rsa:2048")
    words = ["openssl", "req", "-x509", *subject, "-keyout", str(key), "-out", str(path)]
    subprocess.run(words, check=True, capture_output=True)
    conf.write_text(f"[global]\nindex-url = {INDEX}\n")
    return {"PIP_CONFIG_FILE": str(conf), "PIP_CERT": str(path)}


def how(builder: str) -> dict[str, str]:
    return {"DOCKER_BUILDKIT": "1" if builder == "buildkit" else "0"}


def files_below(*folders: Path) -> Iterator[tuple[Path, bytes]]:
    for path in (path for folder in folders for path in sorted(folder.rglob("*"))):
        if path.is_file():
            yield path, path.read_bytes()


def test_index_and_certificates_are_read_while_it_builds_and_kept_nowhere(
    place: Place, builder: str, lending: dict[str, str], docker_registry: DebianRegistry
) -> None:
    place.with_dockerfile("model", DOCKERFILE.replace("ENV", _ASKS, 1))
    certificate = Path(lending["PIP_CERT"]).read_bytes()

    place.release("1.0.0", **lending, **how(builder))
    place.run("push", "1.0.0")

    log = (place.tiny.folder / ".lockstep/build/model.log").read_text()
    assert f"LENT {len(certificate)}" in log
    assert f"INDEX {len(INDEX)}" in log
    kept = dict(files_below(place.tiny.folder, docker_registry.folder))
    wanted = {"password": PASSWORD.encode(), "index": b"index.example.org", "body": certificate.splitlines()[5]}
    found = {what for data in kept.values() for what, text in wanted.items() if text in data}
    assert any(b"by docker" in data for data in kept.values())
    assert found == set()


@pytest.mark.parametrize("line", [
    "RUN cp /run/secrets/pip-conf /srv/own/pip.conf", "RUN cp /run/secrets/pip-conf /run/secrets/ca-certificates /tmp/",
    "COPY --from=runtime /run/secrets/pip-conf /srv/x", "RUN touch /run/secrets/ca-certificates",
])  # fmt: skip
def test_an_image_that_keeps_what_was_lent_is_refused(place: Place, lending: dict[str, str], line: str) -> None:
    text = DOCKERFILE.replace("AS runtime\n", "AS first\n", 1).replace("FROM runtime\nCOPY src /app/src\n", "")
    copies = line.replace("--from=runtime", "--from=first")
    place.with_dockerfile("model", f"{text}FROM first AS runtime\nUSER root\n{copies}\n")

    refused = place.run("build", code=1, **lending).err

    assert "image/leak" in refused
    assert PASSWORD not in refused
    assert not [path for path, data in files_below(place.tiny.folder / ".lockstep/store") if PASSWORD.encode() in data]


def test_buildkits_own_secrets_have_the_same_names(place: Place, lending: dict[str, str]) -> None:
    mount = "RUN --mount=type=secret,id=pip-conf,target=/tmp/p --mount=type=secret,id=ca-certificates,target=/tmp/c"
    place.with_dockerfile("model", DOCKERFILE.replace("ENV", f"{mount} grep -q index-url /tmp/p\nENV", 1))

    place.run("build", **lending, **how("buildkit"))
    place.with_dockerfile("model", DOCKERFILE.replace("ENV", f"{mount} grep -q index /tmp/p\nENV", 1))
    refused = place.run("build", code=3, **lending, **how("plain")).err

    assert "fix:   build with BuildKit" in refused
    assert not [path for path, data in files_below(place.tiny.folder / ".lockstep/store") if PASSWORD.encode() in data]
