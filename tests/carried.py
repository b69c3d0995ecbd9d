"""What tests of the air gap do on either side: carry a release, and ask what came of it."""

from __future__ import annotations

import io
import json
import tarfile

from lockstep.core.version import Version
from lockstep.oci.archive import Archive
from lockstep.oci.layer import END, header, padding
from lockstep.oci.layout import Layout
from lockstep.verbs.export import export_release
from lockstep.verbs.images.stores import own_stores
from lockstep.verbs.import_ import import_release
from tiny import Tiny

ONE = Version("1.0.0")
RELEASE = "releases/1.0.0/release.yaml"
REF = "org.opencontainers.image.ref.name"


def clone(tiny, folder):
    tiny.git("clone", "-q", str(tiny.folder), str(folder))
    return Tiny(folder)


def exported(tiny, file):
    return export_release(tiny.workspace, ONE, own_stores(tiny.workspace), file)


def imported(tiny, data, *, dry=False, workspace=None):
    workspace = workspace or tiny.workspace
    return import_release(workspace, Archive(io.BytesIO(data), "x.tar"), own_stores(workspace), dry=dry)


def store_of(tiny, repository=""):
    return Layout(tiny.folder / ".lockstep/store", repository)


def tags_of(tiny):
    path = tiny.folder / ".lockstep/store/index.json"
    if not path.exists():
        return {}
    entries = json.loads(path.read_bytes())["manifests"]
    return {entry["annotations"][REF]: entry["digest"] for entry in entries}


def findings_of(tiny):
    return tiny.verify("1.0.0", deep=True).findings


def canonical(data):
    return json.dumps(data, sort_keys=True, separators=(",", ":")).encode()


def members_of(data):
    with tarfile.open(fileobj=io.BytesIO(data)) as opened:
        return [(one.name, opened.extractfile(one).read()) for one in opened]


def packed(members, end=END):
    """An archive of any members, written as ours are."""
    parts = [header(name, b"0", 0o644, size=len(data)) + data + padding(len(data)) for name, data in members]
    return b"".join(parts) + end
