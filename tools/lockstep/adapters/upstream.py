"""Git, a remote: where its branch is, and commits that become its next ones by compare-and-swap."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from lockstep.adapters.branch import Branch
from lockstep.adapters.git import Repository
from lockstep.core.errors import Conflict, OutsideError, UsageError
from lockstep.core.names import GitSha

# What Git says of a push that somebody else was before, and of a server that takes no options. Source: git 2.39,
# transport.c and send-pack.c.
_OUTRUN = ("non-fast-forward", "fetch first", "cannot lock ref", "failed to update ref", "incorrect old value")
_NO_OPTIONS = "does not support push options"


@dataclass(frozen=True)
class Upstream:
    """A branch of a remote.

    Args:
        repository: The clone.
        remote: Name or address of the remote.
        branch: What follows it in this clone.
    """

    repository: Repository
    remote: str
    branch: Branch

    @property
    def name(self) -> str:
        """The branch, such as main."""
        return self.branch.name

    @property
    def where(self) -> str:
        """Its name for errors."""
        return f"{self.remote} refs/heads/{self.name}"

    def start(self) -> GitSha:
        """The commit to go on from: the remote's, or the local branch's where that is ahead of it.

        Raises:
            UsageError: each has commits that the other lacks; or neither exists.
            OutsideError: the remote cannot be asked.
        """
        here, there = self.repository.resolve(self.branch.ref), self._fetched()
        if there is None or (here and self.repository.is_ancestor(there, here)):
            if here is None:
                raise UsageError(
                    f"neither {self.remote} nor this clone has a branch `{self.name}`",
                    where=self.where,
                    fix="give it a first commit (a README), or correct `state:` in lockstep.yaml",
                )
            return here
        if here is None or self.repository.is_ancestor(here, there):
            return there
        shallow = "git fetch --unshallow --tags, or " if self.repository.is_shallow else ""
        raise UsageError(
            f"{self.name} and that of {self.remote} have gone different ways: each has commits that the other lacks",
            where=self.where,
            fix=f"{shallow}git pull --rebase {self.remote} {self.name}, then the same command again",
        )

    def seen(self, say: Callable[[str], None]) -> GitSha:
        """The newest commit, which this clone's branch is at now; where the remote cannot be asked, the last one seen.

        Raises:
            OutsideError: it cannot be asked, and never could.
        """
        last = self.repository.resolve(self.branch.ref)
        try:
            tip = self.start()
        except OutsideError as error:
            if last is None:
                raise
            say(f"note: {error.what}; what was seen last counts: {last[:10]}")
            return last
        if tip != last:
            self.repository.git("update-ref", self.branch.ref, tip)
        return tip

    def _fetched(self) -> GitSha | None:
        """The remote's commit, once this clone has it; None if there is no such branch."""
        there = self.repository.remote_tip(self.remote, self.name)
        if there is None or self.repository.resolve(there):
            return there
        self.repository.git("fetch", "--quiet", "--no-tags", "--", self.remote, f"refs/heads/{self.name}")
        if self.repository.resolve(there) is None:
            what = f"{self.name} of {self.remote} was at {there[:10]} and is not any more"
            raise OutsideError(what, where=self.where, fix="run the same command again")
        return there

    def push(self, new: GitSha) -> None:
        """Makes a commit the branch's newest, if the branch is at one of its ancestors.

        Raises:
            Conflict: it is not: somebody else was first.
            OutsideError: it cannot be pushed.
        """
        found = self.repository.ask("push", "--quiet", "--", self.remote, f"{new}:refs/heads/{self.name}")
        if not found.code:
            return
        reason = found.stderr.decode(errors="replace").strip()
        if any(word in reason for word in _OUTRUN):
            raise Conflict(
                f"somebody else moved {self.name} of {self.remote} first; nothing of ours was written",
                where=self.where,
                fix="run the same command again: it starts from what the other one wrote",
            )
        raise OutsideError(
            f"cannot push {new[:10]}: {reason[-500:]}",
            where=self.where,
            fix=f"see that you may push to {self.name} (or ask for a merge request: --mr), then the same command again",
        )

    def propose(self, new: GitSha, branch: str, title: str) -> None:
        """Pushes a commit to a branch of its own and has the server make a merge request of it; what was proposed on
        that branch before is replaced.

        Source: GitLab documentation, "Push options", "Push options for merge requests".

        Raises:
            OutsideError: it cannot be pushed, or the server takes no push options.
        """
        wishes = ("create", f"target={self.name}", f"title={title}", "remove_source_branch")
        options = [word for wish in wishes for word in ("--push-option", f"merge_request.{wish}")]
        found = self.repository.ask("push", "--quiet", *options, "--", self.remote, f"+{new}:refs/heads/{branch}")
        if not found.code:
            return
        reason = found.stderr.decode(errors="replace").strip()
        fix = "check the remote, then the same command again"
        if _NO_OPTIONS in reason:
            fix = "this server makes no merge requests of push options: run it without --mr, or push a branch yourself"
        raise OutsideError(f"cannot propose {new[:10]}: {reason[-500:]}", where=f"{self.remote} {branch}", fix=fix)
