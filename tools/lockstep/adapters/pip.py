"""pip: brings the wheels of a lock for a stated platform into a cache. Which package index, is pip's own
configuration.

pip's choice among the files of a lock is remembered, so the same lock asks no network again.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from packaging.utils import parse_wheel_filename

from lockstep.adapters import files, process
from lockstep.core.bundle import Platform
from lockstep.core.document import format_json
from lockstep.core.errors import Finding, OutsideError, refuse_if
from lockstep.core.names import Digest, digest_of
from lockstep.oci.requirements import Requirement
from lockstep.oci.wheels import Wheel, sha256_of

# Newest C library that a wheel may ask for, as in manylinux_2_28 (PEP 600); every distribution still
# maintained in 2026 has it or a newer one.
_GLIBC = 28
_MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}
_OLD_NAMES = {17: "manylinux2014", 12: "manylinux2010", 5: "manylinux1"}  # PEP 600, "Legacy manylinux tags"
_URL = re.compile(r"\b[a-z][a-z0-9+.-]*://\S+")
_HOST = re.compile(r"host='[^']*'")
_NETWORK = ("Retrying (", "Could not fetch URL", "ConnectionError", "Max retries", "Temporary failure")


@dataclass(frozen=True)
class Pip:
    """A WheelSource with a cache of wheels by sha256.

    Args:
        cache: Folder of the cache; processes may share it.
        component: Name of the component, for findings.
    """

    cache: Path
    component: str = ""

    def wheels(self, requirements: tuple[Requirement, ...], platform: Platform) -> tuple[Wheel, ...]:
        """One wheel per requirement, in their order, each with a hash that its requirement lists.

        Raises:
            Refused: a requirement has no wheel for the platform, or only one with other bytes; all such, with
                file:line.
            OutsideError: pip failed otherwise, such as for want of a network.
        """
        lacking = [one for one in requirements if not self._remembered(one, platform)]
        if lacking:
            self._download(lacking, platform)
        # One run for all is fast; where it failed, one run for each says which line is to blame.
        findings = [self._why(one, platform) for one in lacking if not self._remembered(one, platform)]
        what = f"no wheels for {platform.os}/{platform.arch}, python {platform.python}"
        refuse_if((finding for finding in findings if finding), what)
        found = [self._remembered(one, platform) for one in requirements]
        if None in found:
            raise OutsideError("pip left no wheel", where=str(self.cache), fix="run the same command again")
        return tuple(wheel for wheel in found if wheel)

    def _remembered(self, requirement: Requirement, platform: Platform) -> Wheel | None:
        """The wheel that was chosen before for the same lock line and platform, if it is still there."""
        try:
            data = json.loads(self._choice(requirement, platform).read_bytes())
            wheel = self._wheel(data["file"], Digest(data["sha256"]))
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return wheel if wheel.path.is_file() and wheel.sha256 in requirement.hashes else None

    def _download(self, requirements: Sequence[Requirement], platform: Platform) -> process.Output:
        """What pip said; wheels that it brought are in the cache, also when it failed."""
        with files.scratch_folder(self.cache) as folder:
            lock = folder / "requirements.txt"
            files.write(lock, "".join(_line(one) for one in requirements).encode())
            output = process.run([*_command(platform), "--dest", str(folder), "--requirement", str(lock)])
            by_name = {one.name: one for one in requirements}
            for path in sorted(folder.glob("*.whl")):
                name = parse_wheel_filename(path.name)[0]
                requirement = by_name.get(name)
                if requirement and (sha256 := sha256_of(path)) in requirement.hashes:
                    files.move(path, self._wheel(path.name, sha256).path)
                    choice = format_json({"file": path.name, "sha256": sha256})
                    files.write(self._choice(requirement, platform), choice.encode())
        return output

    def _why(self, requirement: Requirement, platform: Platform) -> Finding | None:
        """Why the requirement has no wheel; None if it has one after a second attempt.

        Raises:
            OutsideError: pip failed for a reason that is not the lock's.
        """
        output = self._download([requirement], platform)
        if self._remembered(requirement, platform):
            return None
        said = _redacted(output.stderr.decode(errors="replace"))
        pinned = f"{requirement.name}=={requirement.version}"
        if "DO NOT MATCH THE HASHES" in said:
            got = re.search(r"Got\s+([0-9a-f]{64})", said)
            lists = f"the lock lists {', '.join(requirement.hashes)}"
            what = f"{pinned}: the index's wheel has sha256:{got[1] if got else '?'}, {lists}"
            fix = "find out who changed the file; if it is meant, make the lock again"
            return Finding("requirements/hash", requirement.where, what, fix, self.component)
        if "No matching distribution found" in said and not any(sign in said for sign in _NETWORK):
            machine = f"{platform.os}/{platform.arch}, python {platform.python}, glibc 2.{_GLIBC}"
            what = f"{pinned} has no wheel for {machine}; source is never compiled here"
            fix = "pin a version that has one, or build one once (pip wheel) and put it where pip finds it"
            return Finding("requirements/wheel", requirement.where, what, fix, self.component)
        raise OutsideError(
            f"pip could not bring {pinned}: {said.strip()[-1000:]}",
            where=requirement.where,
            fix="see pip's message",
        )

    def _wheel(self, name: str, sha256: Digest) -> Wheel:
        return Wheel(self.cache / "wheels" / sha256.hex / Path(name).name, sha256)

    def _choice(self, requirement: Requirement, platform: Platform) -> Path:
        asked = [requirement.name, requirement.version, list(requirement.hashes), *_command(platform)[1:]]
        return self.cache / "chosen" / f"{digest_of(format_json(asked).encode()).hex}.json"


def _command(platform: Platform) -> list[str]:
    """The pip command with the options that say what to take, whatever this machine is."""
    tags = [option for tag in _tags(platform) for option in ("--platform", tag)]
    abi = f"cp{platform.python.replace('.', '')}"
    return [
        sys.executable, "-m", "pip", "download", "--only-binary=:all:", "--no-deps", "--require-hashes",
        "--no-input", "--quiet", "--disable-pip-version-check",
        "--implementation", "cp", "--python-version", platform.python, "--abi", abi, *tags,
    ]  # fmt: skip


def _tags(platform: Platform) -> Iterator[str]:
    """Wheel tags of the platform, newest C library first. Source: PEP 600; for arm64 they begin at 2.17."""
    machine = _MACHINES[platform.arch]
    for minor in range(_GLIBC, 16 if platform.arch == "arm64" else 4, -1):
        yield f"manylinux_2_{minor}_{machine}"
        if minor in _OLD_NAMES:
            yield f"{_OLD_NAMES[minor]}_{machine}"


def _line(requirement: Requirement) -> str:
    hashes = "".join(f" --hash={digest}" for digest in requirement.hashes)
    return f"{requirement.name}=={requirement.version}{hashes}\n"


def _redacted(text: str) -> str:
    """The text without addresses: they may hold a password."""
    return _HOST.sub("host=…", _URL.sub("<address>", text))
