"""What a GitLab answers, as frozen values: what is read of it has exactly the documented form, the rest is left out.

Source: GitLab's documentation of its REST API (version 4), the page that each value names.
"""

from __future__ import annotations

from typing import TypeVar

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError


class Said(BaseModel):
    """A part of an answer. Fields that are not read here are not kept: some of them are secrets."""

    model_config = ConfigDict(frozen=True, strict=True, extra="ignore", hide_input_in_errors=True, defer_build=True)


class SaidCommit(Said):
    """The commit that a release's tag names."""

    id: str = Field(pattern=r"^[0-9a-f]{40,64}$")


class SaidLinks(Said):
    """Where a release is seen."""

    self: str = ""


class SaidRelease(Said):
    """A release of a project. Source: api/releases, "Get a Release by a tag name"."""

    tag_name: str
    description: str | None = None
    commit: SaidCommit | None = None
    links: SaidLinks = Field(default=SaidLinks(), alias="_links")

    def says(self, text: str) -> bool:
        """Whether its notes are this text; forms send line ends as CR LF, and blanks at the end count for nothing."""
        return _plain(self.description or "") == _plain(text)


class AccessLevel(Said):
    """Who may do something: a role, a user, a group or a deploy key; the last one also carries its owner's role."""

    access_level: int | None = None
    user_id: int | None = None
    group_id: int | None = None
    deploy_key_id: int | None = None

    @property
    def is_role(self) -> bool:
        """Whether it is everybody who has a role."""
        return self.user_id is None and self.group_id is None and self.deploy_key_id is None

    @property
    def is_for_developers(self) -> bool:
        """Whether it is every developer: role 30. Source: api/protected_branches, "Valid access levels"."""
        return self.is_role and self.access_level == 30


class ProtectedBranch(Said):
    """A rule for branches. Source: api/protected_branches, "List protected branches"."""

    name: str
    push_access_levels: tuple[AccessLevel, ...]
    allow_force_push: bool
    code_owner_approval_required: bool | None = None


class ProtectedTag(Said):
    """A rule for tags. Source: api/protected_tags, "List protected tags"."""

    name: str
    create_access_levels: tuple[AccessLevel, ...]


class ProtectedEnvironment(Said):
    """Who may deploy where. Source: api/protected_environments, "List protected environments"; Premium."""

    name: str
    deploy_access_levels: tuple[AccessLevel, ...]


class Variable(Said):
    """A variable of CI; its value is not kept. Source: api/project_level_variables, "List project variables"."""

    key: str
    protected: bool
    masked: bool


class Webhook(Said):
    """What is told of events. Source: api/project_webhooks, "Get a project webhook"."""

    url: str = Field(repr=False)
    push_events: bool
    push_events_branch_filter: str | None = None
    branch_filter_strategy: str | None = None
    enable_ssl_verification: bool | None = None
    alert_status: str | None = None
    disabled_until: str | None = None


class TagRule(Said):
    """A rule for tags of images. Source: api/container_registry_protection_tag_rules; of GitLab 18.7. An immutable one
    names no role, because nobody may (user/packages/container_registry/immutable_container_tags).
    """

    tag_name_pattern: str
    minimum_access_level_for_push: str | None = None
    minimum_access_level_for_delete: str | None = None

    @property
    def is_immutable(self) -> bool:
        """Whether nobody may move what it covers."""
        return not self.minimum_access_level_for_push and not self.minimum_access_level_for_delete


class Project(Said):
    """A project's own settings; some are shown to maintainers only. Source: api/projects, "Get a single project"."""

    path_with_namespace: str
    merge_method: str | None = None
    squash_option: str | None = None
    only_allow_merge_if_pipeline_succeeds: bool | None = None
    allow_merge_on_skipped_pipeline: bool | None = None
    ci_push_repository_for_job_token_allowed: bool | None = None
    container_registry_image_prefix: str | None = None


Form = TypeVar("Form")


def parse_answer(form: type[Form], body: bytes) -> Form:
    """The value that an answer has.

    Raises:
        ValueError: it has another form; says where, and repeats nothing of it.
    """
    try:
        return TypeAdapter(form).validate_json(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        place = ".".join(map(str, first["loc"])) or "the answer"
        raise ValueError(f"{place}: {first['msg']}") from None


def _plain(text: str) -> str:
    return text.replace("\r\n", "\n").rstrip()
