"""Git, writing: annotated tags. A tag that cannot be pushed is taken back, so a rejection leaves nothing behind."""

from __future__ import annotations

from dataclasses import dataclass

from lockstep.adapters.branch import identity
from lockstep.adapters.git import Repository
from lockstep.core.errors import Conflict, OutsideError
from lockstep.core.names import GitOid, GitSha

# How signatures of tags begin: OpenPGP, SSH, X.509. Source: git's gpg-interface.c, version 2.39.
_SIGNATURES = tuple(
    f"\n-----BEGIN {kind}-----\n".encode() for kind in ("PGP SIGNATURE", "SSH SIGNATURE", "SIGNED MESSAGE")
)


@dataclass(frozen=True)
class Tag:
    """A tag of a repository, by its name without `refs/tags/`."""

    repository: Repository
    name: str

    @property
    def ref(self) -> str:
        """Its full name."""
        return f"refs/tags/{self.name}"

    @property
    def commit(self) -> GitSha | None:
        """The commit that it names; None if there is no such tag."""
        return self.repository.resolve(self.ref)

    @property
    def is_signed(self) -> bool:
        """Whether it carries a signature; nobody says whose."""
        data = self.repository.git("cat-file", "tag", self.ref)
        return any(begin in data for begin in _SIGNATURES)

    def make(self, commit: GitSha, message: str, *, sign: bool | None) -> GitOid:
        """The id of a new annotated tag.

        Args:
            commit: What it names.
            message: As it stands; lines that begin with `#` stay.
            sign: Whether to sign it; None for what Git is set to (`tag.gpgSign`).

        Raises:
            UsageError: Git does not know who makes it.
            OutsideError: Git failed, or could not sign; there is no tag then.
        """
        identity(self.repository.top, "COMMITTER")
        signing = () if sign is None else ("--sign",) if sign else ("--no-sign",)
        options = ("--annotate", *signing, "--cleanup=verbatim", "--file=-")
        self.repository.git("tag", *options, "--", self.name, commit, stdin=message.encode())
        made = GitOid(self.repository.git("rev-parse", "--verify", self.ref).decode().strip())
        wanted = self._is_set_to_sign if sign is None else sign
        if wanted and not self.is_signed:  # git 2.39 makes an unsigned tag, and ends well, where an SSH key is missing
            self.take_back(made)
            what = f"the tag {self.name} could not be signed, so it was taken back"
            raise OutsideError(what, where=self.ref, fix="git config user.signingKey, and see that its key is there")
        return made

    @property
    def _is_set_to_sign(self) -> bool:
        found = self.repository.ask("config", "--type=bool", "--get", "tag.gpgSign")
        return found.stdout.strip() == b"true"

    def take_back(self, made: GitOid) -> None:
        """Deletes what `make` made; a tag that is another one by now stays."""
        self.repository.git("update-ref", "-d", self.ref, made)

    def push(self, remote: str, made: GitOid) -> None:
        """Pushes it; takes it back here where that fails.

        Raises:
            Conflict: the remote has another tag of that name.
            OutsideError: it cannot be pushed.
        """
        found = self.repository.ask("push", "--quiet", "--", remote, f"{self.ref}:{self.ref}")
        if not found.code:
            return
        self.take_back(made)
        reason = found.stderr.decode(errors="replace").strip()
        if "already exists" in reason:
            what = f"{remote} has another tag {self.name}; nothing of ours was kept"
            raise Conflict(what, where=f"{remote} {self.ref}", fix=f"git fetch {remote} --tags, and see what it names")
        what = f"cannot push the tag {self.name}, so it was taken back: {reason[-500:]}"
        raise OutsideError(what, where=f"{remote} {self.ref}", fix="check the remote, then run the same command again")
