"""Weights larger than memory may be: one pass, little memory, and only what changed is written."""

import json
import os
import subprocess
import sys
from pathlib import Path

TOOLS = Path(__file__).parents[2] / "tools"
SIZE = 64 << 20  # bytes of each of four files
PROGRAM = """
import hashlib, json, sys
from pathlib import Path
from lockstep.core.names import DvcMd5
from lockstep.core.pointer import Pointer
from lockstep.oci.layout import Layout
from lockstep.oci.statcache import read_cache, write_cache
from lockstep.oci.weights import Work, lock_weights

def md5(path):
    with path.open("rb") as stream:
        return DvcMd5(hashlib.file_digest(stream, "md5").hexdigest())

data, cache = Path("data"), Path("cache.json")
files = sorted(data.iterdir())
pointers = [Pointer(f"{one.name}.dvc", one.name, md5(one), one.stat().st_size, "", "") for one in files]
store = Layout(Path("store"))
lock, known = lock_weights(Work("c", lambda one: [data / one.name], None, store), pointers, read_cache(cache))
write_cache(cache, known)
written = int(Path("/proc/self/io").read_text().split("wchar: ")[1].split()[0])
status = Path("/proc/self/status").read_text()  # ru_maxrss would be that of the process that forked us
rss = int(status.split("VmHWM:")[1].split()[0]) * 1024
print(json.dumps({"written": written, "rss": rss, "layers": [file.layer for file in lock.files]}))
"""


def lock(folder):
    command = [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(TOOLS)!r})\n{PROGRAM}"]
    return json.loads(subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, check=True).stdout)


def test_one_changed_shard_is_all_that_is_written_and_memory_stays_small(tmp_path):
    (tmp_path / "data").mkdir()
    for number in range(4):
        (tmp_path / f"data/{number}.bin").write_bytes(os.urandom(1 << 20) * (SIZE >> 20))
    first = lock(tmp_path)
    with (tmp_path / "data/2.bin").open("r+b") as stream:
        stream.write(b"changed")

    again = lock(tmp_path)
    third = lock(tmp_path)

    assert 4 * SIZE < first["written"] < 4 * SIZE + (1 << 20)
    assert SIZE < again["written"] < SIZE + (1 << 20)
    assert third["written"] < 1 << 20
    changed = [old != new for old, new in zip(first["layers"], again["layers"], strict=True)]
    assert changed == [False, False, True, False]
    assert max(first["rss"], again["rss"]) < 100 << 20
