"""export and import: a release goes where no network leads, whole and byte for byte, or not at all."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from carried import (
    ONE,
    RELEASE,
    clone,
    exported,
    findings_of,
    imported,
    members_of,
    tags_of,
)
from lockstep.cli.main import main, program
from lockstep.core.errors import OutsideError, Refused
from lockstep.core.names import digest_of
from lockstep.oci.image import parse_manifest
from lockstep.oci.layout import Layout
from lockstep.oci.store import verify_blob
from lockstep.verbs.images.stores import own_stores
from lockstep.verbs.push import push_release
from tiny import set_identity, tiny_bundle

TOOLS = Path(__file__).resolve().parents[2] / "tools"


def test_a_release_comes_to_the_other_side_as_it_was(released, other, archive):
    assert {finding.rule for finding in findings_of(other)} == {"store/absent"}

    done = imported(other, archive)

    blobs = {name.rpartition("/")[2]: data for name, data in members_of(archive) if name.startswith("blobs/")}
    here = {path.name: path.read_bytes() for path in (other.folder / ".lockstep/store/blobs/sha256").iterdir()}
    there = released.folder / ".lockstep/store/blobs/sha256"
    document = (released.folder / RELEASE).read_bytes()
    assert findings_of(other) == ()
    assert done.is_in_git
    assert done.release.digest == released.workspace.state.release(ONE).digest
    assert here == blobs
    assert document in blobs.values()
    assert all((there / name).read_bytes() == data for name, data in blobs.items() if (there / name).exists())
    assert len([name for name in blobs if (there / name).exists()]) == len(blobs) - 3, "all but the artifact's own"
    assert sorted(tags_of(other)) == [
        "front-door:release-1.0.0", "model-weights:release-1.0.0", "model:release-1.0.0", "release.yaml:release-1.0.0",
    ]  # fmt: skip


def test_what_was_imported_is_pushed_and_serves(other, archive, fake, host):
    other.replace("lockstep.yaml", "lockstep.local/tiny", f"{host}/far/tiny")
    other.commit("the registry of this side")
    imported(other, archive)

    push_release(other.workspace, ONE, own_stores(other.workspace), dry=False)
    other.serve("1.0.0")

    assert sorted(fake.tags) == ["far/tiny/front-door", "far/tiny/model", "far/tiny/model-weights"]
    assert other.verify(deep=True).findings == ()


def test_the_same_release_gives_the_same_bytes_from_either_side(released, other, archive, tmp_path):
    imported(other, archive)

    exported(other, tmp_path / "back.tar")
    exported(released, tmp_path / "again.tar")

    assert (tmp_path / "back.tar").read_bytes() == (tmp_path / "again.tar").read_bytes() == archive
    assert sorted(path.name for path in tmp_path.iterdir()) == ["again.tar", "back.tar", "other"]


def test_a_second_import_writes_nothing(other, archive):
    imported(other, archive)
    before = stamps(other)

    again = imported(other, archive)

    assert stamps(other) == before
    assert again.new_bytes == 0
    assert not any(one.new_blobs or one.is_new for one in again.images)


def stamps(tiny):
    paths = [tiny.folder / ".lockstep/store", *(tiny.folder / ".lockstep/store").rglob("*")]
    return {str(path): (path.stat().st_ino, path.stat().st_mtime_ns) for path in paths}


def test_a_dry_import_checks_all_of_the_file_and_writes_nothing(other, archive):
    said = imported(other, archive, dry=True)
    with pytest.raises(Refused):
        imported(other, archive[:-1], dry=True)

    assert not (other.folder / ".lockstep").exists()
    assert said == imported(other, archive)


def test_a_dry_export_says_what_the_export_writes_and_writes_nothing(released, archive, tmp_path):
    said = exported(released, None)

    assert said.size == len(archive)
    assert said == exported(released, tmp_path / "x.tar")


def test_an_unpacked_archive_is_a_layout_with_its_tags(released, archive, tmp_path):
    (tmp_path / "x.tar").write_bytes(archive)
    (tmp_path / "layout").mkdir()
    subprocess.run(["tar", "xf", "../x.tar"], cwd=tmp_path / "layout", check=True)
    release = released.workspace.state.release(ONE)

    for name, pinned in release.components.items():
        store = Layout(tmp_path / "layout", name)
        assert store.tags() == {"release-1.0.0": pinned.image.reference.digest}
        manifest = parse_manifest(store.manifest(pinned.image.reference.digest), name)
        assert [verify_blob(store, one.digest) for one in manifest.layers] == [one.size for one in manifest.layers]
    artifact = Layout(tmp_path / "layout", "release.yaml")
    data = json.loads(artifact.manifest(artifact.tags()["release-1.0.0"]))
    assert data["artifactType"] == "application/vnd.lockstep.release.v1"
    assert data["annotations"]["dev.lockstep.release.digest"] == release.digest
    assert data["layers"][0]["digest"] == digest_of((released.folder / RELEASE).read_bytes())
    assert data["config"] == {
        "mediaType": "application/vnd.oci.empty.v1+json", "digest": digest_of(b"{}"), "size": 2
    }  # fmt: skip


def test_a_release_that_git_does_not_have_yet_comes_in_and_it_is_said(other, archive, tmp_path):
    other.git("reset", "-q", "--hard", "v1.0.0")
    (tmp_path / "x.tar").write_bytes(archive)

    said = CliRunner().invoke(program, ["import", str(tmp_path / "x.tar"), "-C", str(other.folder)])
    other.git("merge", "-q", "--ff-only", "origin/main")

    assert said.exit_code == 0, said.output
    assert "not in Git: releases/1.0.0/release.yaml is not there yet" in said.stdout
    assert digest_of((other.folder / RELEASE).read_bytes()) in said.stdout
    assert findings_of(other) == ()


def test_a_damaged_blob_ends_the_export_and_leaves_the_file_as_it_was(released, tmp_path):
    tiny = released.copy(tmp_path / "damaged")
    layer = tiny.workspace.state.release(ONE).components["model"].image.code
    path = tiny.folder / ".lockstep/store/blobs/sha256" / layer.digest.hex
    (tmp_path / "old.tar").write_bytes(b"old")

    for damage in (path.read_bytes()[:-1] + b"x", path.read_bytes()[:-1], path.read_bytes() + b"x"):
        path.write_bytes(damage)
        for name in ("new.tar", "old.tar"):
            with pytest.raises(OutsideError, match=r"^model: damaged blob"):
                exported(tiny, tmp_path / name)

    assert sorted(one.name for one in tmp_path.iterdir()) == ["damaged", "old.tar"]
    assert (tmp_path / "old.tar").read_bytes() == b"old"


def test_two_components_of_one_image_both_get_their_tag(tmp_path, monkeypatch):
    set_identity(monkeypatch)
    tiny = tiny_bundle(tmp_path / "bundle")
    shutil.copytree(tiny.folder / "components/model", tiny.folder / "components/twin")
    shutil.rmtree(tiny.folder / "components/twin/weights")
    (tiny.folder / "components/twin/weights.lock").unlink()
    tiny.replace("components/twin/component.yaml", "name: model", "name: twin")
    tiny.replace("components/twin/component.yaml", "weights: [weights/model.bin.dvc]\n", "")
    tiny.commit("a twin")
    tiny.git("tag", "-f", "v1.0.0")
    components = tiny.release("1.0.0").release.components
    exported(tiny, tmp_path / "x.tar")
    other = clone(tiny, tmp_path / "other")

    imported(other, (tmp_path / "x.tar").read_bytes())

    assert components["twin"].image.reference.digest == components["model"].image.reference.digest
    assert {"twin:release-1.0.0", "model:release-1.0.0"} < tags_of(other).keys()
    assert findings_of(other) == ()


def test_an_external_component_is_said_to_stay_where_it_is(tmp_path, monkeypatch):
    set_identity(monkeypatch)
    tiny = tiny_bundle(tmp_path / "bundle")
    shutil.rmtree(tiny.folder / "components/model/weights")
    (tiny.folder / "components/model/weights.lock").unlink()
    tiny.write(
        "components/model/component.yaml",
        "name: model\ndescription: Hosted.\nowner: tiny-team\nkind: external\n"
        "address: http://model.invalid\ncontract: contract/openapi.yaml\n",
    )
    tiny.commit("a hosted model")
    tiny.git("tag", "-f", "v1.0.0")
    tiny.release("1.0.0")
    other = clone(tiny, tmp_path / "other")

    out = CliRunner().invoke(program, ["export", "1.0.0", str(tmp_path / "x.tar"), "-C", str(tiny.folder)])
    taken = CliRunner().invoke(program, ["import", str(tmp_path / "x.tar"), "-C", str(other.folder)])

    for said in (out, taken):
        assert said.exit_code == 0, said.output
        assert "external: model runs elsewhere; nothing of it is carried" in said.stdout
    assert "1 images" in taken.stdout


def test_both_say_it_in_words_and_in_json(released, other, archive, tmp_path):
    file = tmp_path / "x.tar"
    run = CliRunner().invoke

    dry = run(program, ["export", "1.0.0", str(file), "--dry-run", "-C", str(released.folder)])
    assert not file.exists()
    out = run(program, ["export", "1.0.0", str(file), "-o", "json", "-C", str(released.folder)])
    stream = run(program, ["export", "1.0.0", "-", "-C", str(released.folder)])
    taken = run(program, ["import", str(file), "-C", str(other.folder)])
    again = run(program, ["import", "-", "-o", "json", "-C", str(other.folder)], input=archive)

    codes = [one.exit_code for one in (dry, out, stream, taken, again)]
    assert codes == [0] * 5, dry.output + out.output + taken.output + again.output
    assert f"would export 1.0.0: 3 images, 6 blobs, {len(archive):,} bytes" in dry.stdout
    assert stream.stdout_bytes == archive
    assert "imported 1.0.0" in taken.stdout
    assert "6 of 6 blobs new" in taken.stdout
    assert sorted(json.loads(out.stdout)) == [
        "bytes", "digest", "dry_run", "external", "file", "images", "schema", "seconds", "version",
    ]  # fmt: skip
    data = json.loads(again.stdout)
    assert sorted(data) == [
        "digest", "document", "dry_run", "external", "file", "images", "in_git", "new_bytes", "schema", "seconds",
        "third_party", "version",
    ]  # fmt: skip
    assert (data["schema"], data["new_bytes"], data["in_git"]) == ("lockstep.dev/cli/import/v1", 0, True)
    assert json.loads(out.stdout)["digest"] == data["digest"]


def test_the_commands_of_the_operating_page_carry_a_release(tmp_path, host, fake, monkeypatch):
    set_identity(monkeypatch)
    tiny = tiny_bundle(tmp_path / "here")
    tiny.replace("lockstep.yaml", "lockstep.local/tiny", f"{host}/tiny")
    tiny.commit("a registry")
    tiny.git("tag", "-f", "v1.0.0")
    other = clone(tiny, tmp_path / "files" / "there")
    tiny.release("1.0.0")
    section = (TOOLS.parent / "docs/operating.md").read_text().partition("## Air gap\n")[2].partition("\n## ")[0]
    here, there = re.findall(r"```console\n(.*?)```", section, re.DOTALL)

    run_lines(here, tiny.folder)
    for name in ("release-1.0.0.tar", "repository.bundle"):
        (tiny.folder / name).rename(tmp_path / "files" / name)
    run_lines(there, other.folder)

    assert sorted(fake.tags) == ["tiny/front-door", "tiny/model", "tiny/model-weights"]


def run_lines(block, folder):
    """Runs the commands of a page, with this interpreter's Lockstep."""
    for line in block.splitlines():
        words = shlex.split(line)
        program = [sys.executable, "-m", "lockstep.cli.main"] if words[0] == "lockstep" else words[:1]
        environment = {**os.environ, "PYTHONPATH": str(TOOLS)}
        done = subprocess.run([*program, *words[1:]], cwd=folder, env=environment, capture_output=True, check=False)
        assert done.returncode == 0, f"{line}\n{done.stdout.decode()}{done.stderr.decode()}"


def test_exit_codes_tell_usage_finding_and_outside_apart(released, other, archive, tmp_path, capfd):
    (tmp_path / "cut.tar").write_bytes(archive[:-1])
    here, there = ["-C", str(released.folder)], ["-C", str(other.folder)]

    codes = [
        main(["export", "7.0.0", str(tmp_path / "x.tar"), *here]),
        main(["export", "1.0.0", "-", "-o", "json", *here]),
        main(["import", str(tmp_path / "nowhere.tar"), *there]),
        main(["import", str(tmp_path / "cut.tar"), *there]),
        main(["export", "1.0.0", str(tmp_path / "cut.tar/x.tar"), *here]),
        main(["export", "1.0.0", str(tmp_path / "x.tar"), *there]),
    ]

    assert codes == [2, 2, 2, 1, 3, 3]
    assert capfd.readouterr().err.count("fix:") == 4, "click says the second and the third"
