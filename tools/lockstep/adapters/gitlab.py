"""GitLab, over its REST API: a project's pages of releases, and what its settings are.

One way of speaking HTTP: oci/wire.py has proxies, certificates, redirects and tries. A token goes to the GitLab that
it is for and nowhere else, and is in no error.

Source: GitLab's documentation, api/rest ("Request payload", "Encoding", "Pagination").
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from urllib3.exceptions import HTTPError

from lockstep.core.errors import OutsideError
from lockstep.core.forge.answers import SaidRelease, parse_answer
from lockstep.core.forge.place import OWN_TOKEN, Forge, Token
from lockstep.core.shown import visible
from lockstep.oci.wire import NoAnswer, Request, Wire

_PAGES = 50
_NEXT = re.compile(r'<([^>]*)>\s*;\s*rel="?next"?')  # RFC 8288; api/rest, "Pagination Link header"
_AGAIN = "run the same command again"


@dataclass(frozen=True)
class Answer:
    """A whole answer; headers by lower-case name."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    url: str


class Declined(OutsideError):  # noqa: N818 - what happened, in a word
    """GitLab answered, and not what was asked for. `status`: its HTTP status."""

    def __init__(self, what: str, status: int, *, where: str, fix: str) -> None:
        super().__init__(what, where=where, fix=fix)
        self.status = status


@dataclass(frozen=True)
class Gitlab:
    """One project of a GitLab.

    Args:
        forge: Which, and where.
        token: What it is shown; None asks as nobody.
        wire: How it is asked.
        largest: Bytes of the largest answer that is read; a hundred releases with long notes are less.
    """

    forge: Forge
    token: Token | None
    wire: Wire
    largest: int = 16 << 20

    def release(self, tag: str) -> SaidRelease | None:
        """The release of a tag; None if there is none (or no such project: GitLab says 404 to both).

        Source: api/releases, "Get a Release by a tag name".
        """
        answer = self._ask("GET", self._release(tag))
        return None if answer.status == 404 else self._said(answer, f"read the release of {tag}")

    def create_release(self, tag: str, text: str) -> SaidRelease | None:
        """The release of a tag that is there, made anew; None if it has one. No tag is made: `ref` is not sent.

        Source: api/releases, "Create a release"; 409 where there is one.
        """
        answer = self._ask("POST", self._url("releases"), {"tag_name": tag, "description": text})
        return None if answer.status == 409 else self._said(answer, f"create the release of {tag}")

    def update_release(self, tag: str, text: str) -> SaidRelease:
        """The release of a tag, with other notes. Source: api/releases, "Update a release"."""
        answer = self._ask("PUT", self._release(tag), {"description": text})
        return self._said(answer, f"update the release of {tag}")

    def read(self, path: str) -> bytes:
        """The answer to a GET below the project.

        Raises:
            Declined: it is not 200.
        """
        answer = self._ask("GET", self._url(path))
        return self._whole(answer, f"read {path or 'the project'}").body

    def bodies(self, path: str) -> tuple[bytes, ...]:
        """The parts of a list below the project, in order, to its end. Source: api/rest, "Offset-based pagination".

        Raises:
            Declined: one of them is not 200.
            OutsideError: it has no end.
        """
        found: list[bytes] = []
        first = url = f"{self._url(path)}?{urlencode({'per_page': 100})}"
        while url:
            if len(found) == _PAGES:
                raise OutsideError(f"the list {path} of {self.forge.name} has no end", where=first, fix=_AGAIN)
            answer = self._whole(self._ask("GET", url), f"list {path}")
            found.append(answer.body)
            url = self._next(first, answer)
        return tuple(found)

    def _next(self, first: str, answer: Answer) -> str:
        """Where the list goes on; empty at its end. Of a link only the query is taken: behind a proxy its host may be
        another one, where no token goes.
        """
        following = _NEXT.search(answer.headers.get("link", ""))
        if following:
            return f"{first.partition('?')[0]}?{urlsplit(following[1]).query}"
        number = answer.headers.get("x-next-page", "")
        return f"{first}&page={number}" if number.isdigit() else ""

    def _url(self, path: str) -> str:
        project = f"{self.forge.api}/projects/{quote(self.forge.project, safe='')}"
        return f"{project}/{path}" if path else project

    def _release(self, tag: str) -> str:
        return self._url(f"releases/{quote(tag, safe='')}")

    def _ask(self, method: str, url: str, data: Mapping[str, Any] | None = None) -> Answer:
        """The answer, whatever its status. To write twice is as good as once: the second time says 409 or changes
        nothing.
        """
        headers = {"accept": "application/json", "user-agent": "lockstep"}
        headers |= {self.token.header: self.token.value} if self.token else {}
        body = None if data is None else json.dumps(data).encode()
        headers |= {} if body is None else {"content-type": "application/json"}
        request = Request(method, url, headers, body, repeatable=True)
        try:
            reply = self.wire.patiently(request, lambda: self.wire.exchange(request, stream=True))
            found = reply.found.read(self.largest + 1) if reply.status == 200 else reply.found.data
        except NoAnswer as error:
            raise self._silent(error.what, url) from error
        except HTTPError as error:
            raise self._silent(f"no whole answer from {self.forge.host}: {error}", url) from error
        if len(found) > self.largest:
            reply.found.close()
            raise self._silent(f"an answer of {self.forge.host} is larger than {self.largest} bytes", url)
        return Answer(reply.status, reply.headers, found, reply.url)

    def _said(self, answer: Answer, what: str) -> SaidRelease:
        try:
            return parse_answer(SaidRelease, self._whole(answer, what).body)
        except ValueError as error:
            fix = f"check that {self.forge.api} is the API of a GitLab (version 4)"
            raise OutsideError(f"the answer of {self.forge.host} cannot be understood: {error}", fix=fix) from None

    def _whole(self, answer: Answer, what: str) -> Answer:
        if answer.status in {200, 201}:
            return answer
        said = self._explained(answer.body)
        where = answer.url.partition("?")[0]
        raise Declined(
            f"cannot {what} in {self.forge.name}: GitLab answered {answer.status}{said}",
            answer.status,
            where=where,
            fix=self._fix(answer, said),
        )

    def _explained(self, body: bytes) -> str:
        """What an answer says of itself. Source: api/rest/troubleshooting, "Data validation and error reporting"."""
        try:
            data = json.loads(body)
            said = data.get("message") or data.get("error")
        except (ValueError, AttributeError):
            return ""
        text = said if isinstance(said, str) else json.dumps(said)
        return f"; {visible(self.token.struck_out(text) if self.token else text)}"[:300] if said else ""

    def _fix(self, answer: Answer, said: str) -> str:
        who = f"the token of {self.token.variable}" if self.token else "whoever has no token"
        if answer.status == 401:
            return f"{who} is refused: set {OWN_TOKEN} to a token of scope api that has not expired"
        if answer.status == 403:
            return f"{who} has no right to do this: its role must let it, also for a tag that is protected"
        if answer.status == 404:
            return f"see that {self.forge.name} is a project there, and that {who} may see it"
        if answer.status in {400, 422} and "ref" in said.lower():
            return "push the tag first: git push origin TAG"
        if 300 <= answer.status < 400:
            return (
                f"the project has moved: name it by its address now, {answer.headers.get('location', 'see its page')}"
            )
        return f"see what GitLab says; {_AGAIN}"

    def _silent(self, what: str, url: str) -> OutsideError:
        fix = (
            f"check that {self.forge.host} is up and reachable from here (SSL_CERT_FILE names its authority); {_AGAIN}"
        )
        return OutsideError(what, where=url.partition("?")[0], fix=fix)
