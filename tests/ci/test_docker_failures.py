"""Builds with Docker that fail, are killed, or meet each other: what is finished is kept, and the rest is said."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

from ci.docker_daemon import DOCKERFILE, Place, wait_for
from lockstep.core.names import ImageRef

pytest_plugins = ("ci.docker_fixtures",)
FAILS = DOCKERFILE.replace("ENV", "RUN for n in $(seq 40); do echo line $n; done; exit 7\nENV", 1)


WAITS = DOCKERFILE.replace("ENV", 'RUN echo WAITING && python3 -c "import time; time.sleep(8)"\nENV', 1)


def is_building(place: Place, component: str) -> bool:
    log = place.tiny.folder / f".lockstep/build/{component}.log"
    return log.exists() and b"WAITING" in log.read_bytes()


def test_of_two_builds_at_once_one_may_fail_and_the_other_is_kept(place: Place, builder: str) -> None:
    how = {"DOCKER_BUILDKIT": "1" if builder == "buildkit" else "0"}
    place.with_dockerfile("front-door", FAILS)

    failed = place.run("build", "--jobs", "2", code=3, **how)

    assert failed.built == ["front-door", "model"]
    assert "error: front-door: the Dockerfile does not build" in failed.err
    assert "line 40" in failed.err
    assert "line 3\n" not in failed.err
    assert "where: components/front-door/Dockerfile" in failed.err
    log = place.tiny.folder / ".lockstep/build/front-door.log"
    assert str(log) in failed.err
    assert "line 3\n" in log.read_text().replace("\r", "")
    place.with_dockerfile("front-door", DOCKERFILE)
    assert place.run("build", **how).built == ["front-door"]


def test_two_that_fail_are_both_said(place: Place) -> None:
    for component in ("front-door", "model"):
        place.with_dockerfile(component, FAILS)

    failed = place.run("build", code=3).err

    assert "front-door: the Dockerfile does not build" in failed
    assert "model: the Dockerfile does not build" in failed


def test_a_build_that_was_killed_is_finished_by_a_rerun(place: Place, builder: str) -> None:
    how = {"DOCKER_BUILDKIT": "1" if builder == "buildkit" else "0"}
    place.with_dockerfile("model", WAITS)

    process = place.start("build", "--jobs", "1", **how)
    wait_for(lambda: is_building(place, "model"), process)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()

    assert place.run("build", **how).built == ["model"]
    assert place.run("build", **how).built == []
    folders = (".lockstep/build", ".lockstep/cache/building")
    left = [path for folder in folders for path in (place.tiny.folder / folder).iterdir() if path.is_dir()]
    assert left == []


def test_two_commands_at_once_build_everything_once(place: Place) -> None:
    place.with_dockerfile("model", WAITS)

    both = [place.start("build") for _ in range(2)]
    said = [process.communicate() for process in both]

    assert [process.returncode for process in both] == [0, 0], said
    assert sum(err.count(": building its runtime") for _, err in said) == 2
    assert said[0][0] == said[1][0]


def test_without_a_daemon_it_says_how_to_go_on(place: Place, tmp_path: Path) -> None:
    refused = place.run("build", code=3, DOCKER_HOST=f"unix://{tmp_path}/none").err

    assert "no Docker daemon answers" in refused
    assert "builder: wheels" in refused
    assert f"where: unix://{tmp_path}/none" in refused


def test_a_base_that_nobody_has_is_named(place: Place, base: ImageRef) -> None:
    absent = f"{place.host.partition('/')[0]}/absent@{base.digest}"
    place.with_dockerfile("model", f"FROM {absent} AS runtime\n")

    refused = place.run("build", code=3).err

    assert "model: the Dockerfile does not build" in refused
    assert "absent" in refused
    assert "by digest, or use BASE_IMAGE" in refused


def test_an_image_on_another_base_than_the_bundles_is_taken_whole(place: Place, base: ImageRef) -> None:
    place.with_dockerfile("model", f"FROM {base} AS runtime\nRUN mkdir -p /srv/own\n")

    place.release("1.0.0")

    assert place.run("verify", "--deep").err == ""


def test_a_third_party_image_is_asked_for_and_not_built(place: Place, base: ImageRef) -> None:
    text = place.tiny.read("components/model/component.yaml")
    own = "image: {dockerfile: Dockerfile, code: [src]}"
    place.tiny.write("components/model/component.yaml", text.replace(own, f'image: {{reference: "{base}"}}'))
    assert place.release("1.0.0").built == ["front-door"]
    absent = f"{base.repository}@sha256:{'0' * 64}"
    place.tiny.write("components/model/component.yaml", text.replace(own, f'image: {{reference: "{absent}"}}'))
    place.tiny.commit("an image that is not there")

    assert "image/absent" in place.run("build", code=1).err


def test_a_runner_without_a_store_finds_what_was_pushed(place: Place, tmp_path: Path) -> None:
    place.release("1.0.0")
    place.run("push", "1.0.0")
    nowhere = {"DOCKER_HOST": f"unix://{tmp_path}/none"}

    one, other = place.fresh(tmp_path / "one"), place.fresh(tmp_path / "other")
    assert one.run("build", "v1.0.0", **nowhere).built == []
    other.tiny.git("reset", "-q", "--hard", "v1.0.0")  # no release yet: only the tag of the runtime tells of it
    found = other.run("build", **nowhere).err

    assert "fetching its runtime" in found
    assert one.run("verify", "1.0.0", "--deep").err == ""


def test_what_is_built_into_the_registry_is_found_there(place: Place, tmp_path: Path) -> None:
    bare = tmp_path / "bare.git"
    subprocess.run(["git", "clone", "-q", "--bare", str(place.tiny.folder), str(bare)], check=True, capture_output=True)
    place.tiny.git("remote", "add", "origin", str(bare))
    assert place.run("build", "--push").built == ["front-door", "model"]

    assert place.run("build", "--push", DOCKER_HOST=f"unix://{tmp_path}/none").built == []
    assert place.run("release", "1.0.0", "--push", "origin", DOCKER_HOST=f"unix://{tmp_path}/none").built == []
    assert place.run("verify", "--registry", "--deep").err == ""
