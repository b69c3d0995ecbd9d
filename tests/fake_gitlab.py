"""A GitLab, as far as its REST API is asked here: small, honest, on this machine's loopback."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

Raw = dict[str, Any]
REPORTER, DEVELOPER, MAINTAINER = 20, 30, 40
OWN, JOB = "glpat-secret", "job-secret"
_JOB_MAY = ("releases",)  # ci/jobs/ci_job_token, "Job token access"


@dataclass
class FakeGitlab:
    """One private project.

    Args:
        name: Its path.
        number: Its number.
        tags: Commits by tag.
        releases: Releases by tag, as they are answered.
        lists: What lists below the project hold, by their path.
        project: The project's own fields.
        roles: What each token may, by its value.
        jobs: Tokens of jobs that run, and what who started them may.
        planned: Statuses and headers of the next answers, before any other rule.
        refuses: Statuses by path below the project: of a tier, or an older GitLab.
        page: Most items of a page.
        numbers: Whether pages are told by number alone, as when a proxy strips `Link`.
        others: Projects beside it, by their paths.
        before: Told of each request before it is served.
        requests: Method, path and status of each.
    """

    name: str = "team/documents"
    number: int = 42
    tags: dict[str, str] = field(default_factory=dict)
    releases: dict[str, Raw] = field(default_factory=dict)
    lists: dict[str, list[Raw]] = field(default_factory=dict)
    project: Raw = field(default_factory=dict)
    roles: dict[str, int] = field(default_factory=lambda: {OWN: MAINTAINER})
    jobs: dict[str, int] = field(default_factory=lambda: {JOB: DEVELOPER})
    planned: list[tuple[int, dict[str, str]]] = field(default_factory=list)
    refuses: dict[str, int] = field(default_factory=dict)
    page: int = 100
    numbers: bool = False
    others: dict[str, FakeGitlab] = field(default_factory=dict)
    before: Callable[[str, str], None] = lambda *_: None
    requests: list[tuple[str, str, int]] = field(default_factory=list)

    def wrote(self) -> list[str]:
        """Methods of the requests that write, as far as they were not refused."""
        return [method for method, _, status in self.requests if method != "GET" and status < 300]

    def add_release(self, tag: str, text: str) -> Raw:
        """A release, as it is answered."""
        page = f"https://gitlab.example.org/{self.name}/-/releases/{tag}"
        said = {"tag_name": tag, "name": tag, "description": text, "released_at": "2026-11-21T10:00:00.000Z"}
        self.releases[tag] = said | {"commit": {"id": self.tags[tag], "title": "one"}, "_links": {"self": page}}
        return self.releases[tag]


@contextlib.contextmanager
def serving_gitlab(gitlab: FakeGitlab) -> Iterator[str]:
    """The address of its API as long as the block lasts."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"gitlab": gitlab}))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/api/v4"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    """Source: GitLab's documentation, api/rest and the pages of the endpoints."""

    gitlab: FakeGitlab
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None:
        pass

    def _serve(self) -> None:
        parts = urlsplit(self.path)
        words = parts.path.removeprefix("/api/v4/projects/").split("/")
        self.gitlab = type(self).gitlab.others.get(unquote(words[0]), type(self).gitlab)
        self.below, self.query = "/".join(words[1:]), parse_qs(parts.query)
        self.data = json.loads(self.rfile.read(int(self.headers.get("content-length", "0"))) or b"null")
        self.gitlab.before(self.command, self.below)
        if self.gitlab.planned:
            status, headers = self.gitlab.planned.pop(0)
            self._answer(status, {"message": f"{status} planned {self.headers.get('private-token', '')}\x1b"}, headers)
        elif self.below in self.gitlab.refuses:
            status = self.gitlab.refuses[self.below]
            self._answer(status, {"message": f"{status} refused"})
        elif (role := self._role()) < 0:
            self._answer(401, {"message": "401 Unauthorized"})
        elif not role or unquote(words[0]) not in {self.gitlab.name, str(self.gitlab.number)}:
            self._answer(404, {"message": "404 Project Not Found"})
        elif words[1:2] == ["releases"]:
            self._releases(unquote("/".join(words[2:])), role)
        else:
            self._settings(role)

    do_GET = do_POST = do_PUT = _serve  # noqa: N815

    def _role(self) -> int:
        """0: nobody; -1: a token that is none. The token of a job is not looked at where it may do nothing."""
        if "private-token" in self.headers:
            return self.gitlab.roles.get(self.headers["private-token"], -1)
        if "job-token" in self.headers and self.below.startswith(_JOB_MAY):
            return self.gitlab.jobs.get(self.headers["job-token"], -1)
        return 0

    def _releases(self, tag: str, role: int) -> None:
        there = self.gitlab.releases.get(tag or (self.data or {}).get("tag_name", ""))
        if self.command != "GET" and role < DEVELOPER:
            self._answer(403, {"message": "403 Forbidden"})
        elif self.command == "POST" and there:
            self._answer(409, {"message": "Release already exists"})
        elif self.command == "POST" and self.data["tag_name"] not in self.gitlab.tags:
            self._answer(422, {"message": "Ref is not specified"})
        elif self.command == "POST":
            self._answer(201, self.gitlab.add_release(self.data["tag_name"], self.data["description"]))
        elif there is None:
            self._answer(404, {"message": "404 Not Found"})
        else:
            there |= {"description": self.data["description"]} if self.command == "PUT" else {}
            self._answer(200, there)

    def _settings(self, role: int) -> None:
        if not self.below:
            self._answer(200, {"id": self.gitlab.number, "path_with_namespace": self.gitlab.name} | self.gitlab.project)
        elif role < MAINTAINER:
            self._answer(403, {"message": "403 Forbidden"})
        elif self.below not in self.gitlab.lists:
            self._answer(404, {"error": "404 Not Found"})
        else:
            self._list(self.gitlab.lists[self.below])

    def _list(self, items: list[Raw]) -> None:
        number = int(self.query.get("page", ["1"])[0])
        size = min(self.gitlab.page, int(self.query.get("per_page", ["20"])[0]))
        begin, more = (number - 1) * size, number * size < len(items)
        headers = {"x-next-page": str(number + 1) if more else ""}
        if more and not self.gitlab.numbers:
            path = f"https://gitlab.example.org{urlsplit(self.path).path}"  # as set there: not how we came
            headers["link"] = f'<{path}?per_page={size}&page={number + 1}>; rel="next", <{path}?page=1>; rel="first"'
        self._answer(200, items[begin : begin + size], headers)

    def _answer(self, status: int, data: Any, headers: dict[str, str] | None = None) -> None:
        self.gitlab.requests.append((self.command, self.path, status))
        body = json.dumps(data).encode()
        self.send_response(status)
        for key, value in {"content-length": str(len(body)), **(headers or {})}.items():
            self.send_header(key, value)
        self.end_headers()
        self.wfile.write(body)


def well_set(**changed: Any) -> FakeGitlab:
    """A project that is set as the tiny bundle needs it, with the answers that GitLab's documentation shows."""
    roles, key = (
        {"id": 1, "access_level": 40, "user_id": None, "group_id": None},
        {"deploy_key_id": 1, "access_level": 30},
    )
    group = {"group_id": 7, "access_level": 30}
    hook = {"id": 1, "url": "https://cd.example.org/api/webhook", "push_events": True, "push_events_branch_filter": ""}
    lists = {
        "protected_branches": [
            {"name": "release/*", "push_access_levels": [{"access_level": 30}], "allow_force_push": True},
            {"name": "main", "push_access_levels": [roles, {**roles, **key}], "merge_access_levels": [roles],
             "allow_force_push": False, "code_owner_approval_required": True},
        ],
        "protected_tags": [{"name": "v*", "create_access_levels": [roles]}],
        "protected_environments": [{"name": "production", "deploy_access_levels": [{**roles, **group}]}],
        "variables": [{"key": "LOCKSTEP_GIT_TOKEN", "value": "glpat-pushes", "protected": True, "masked": True}],
        "hooks": [{**hook, "enable_ssl_verification": True, "alert_status": "executable", "disabled_until": None}],
        "registry/protection/tag/rules": [
            {"tag_name_pattern": "^(release|copier)-", "minimum_access_level_for_push": None}
        ],
    }  # fmt: skip
    project = {
        "merge_method": "ff", "squash_option": "default_off", "only_allow_merge_if_pipeline_succeeds": True,
        "allow_merge_on_skipped_pipeline": None, "ci_push_repository_for_job_token_allowed": False,
    }  # fmt: skip
    return FakeGitlab(lists=lists, project=project, **changed)
