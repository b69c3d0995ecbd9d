"""What Lockstep reads in a Dockerfile: its stages, and images that are not named by digest."""

from __future__ import annotations

import pytest

from lockstep.core.dockerfile import Stage, dockerfile_findings, parse_dockerfile, stand_in
from lockstep.core.names import ImageRef

HEX = "0123456789abcdef" * 4
BASE = ImageRef(f"registry.example.org/python@sha256:{HEX}")


def found(text: str, *, base: ImageRef | None = BASE, is_whole: bool = True, **arguments: str) -> list[tuple[str, str]]:
    parsed = parse_dockerfile(text, stand_in(base, arguments))
    return [(one.rule, one.where) for one in dockerfile_findings(parsed, "D", "ocr", is_whole=is_whole)]


def test_stages_come_with_their_arguments_put_in():
    text = "ARG BASE_IMAGE\nARG OTHER=debian\nFROM ${BASE_IMAGE} AS Runtime\nFROM --platform=linux/amd64 $OTHER\n"

    parsed = parse_dockerfile(text, {"BASE_IMAGE": str(BASE)})

    assert parsed.stages == (Stage(3, str(BASE), "runtime"), Stage(4, "debian", ""))


@pytest.mark.parametrize("text", [
    "ARG BASE_IMAGE\nFROM ${BASE_IMAGE} AS runtime\nFROM runtime\nCOPY --from=runtime /a /a\nCOPY --from=0 /a /a\n",
    "FROM scratch\nCOPY a /a\n",
    f"FROM debian:12@sha256:{HEX}\n",
    f"ARG WHICH=debian@sha256:{HEX}\nfrom $WHICH as one\nfrom ONE\n",
    "FROM scratch AS a\nRUN <<EOF\nFROM debian\nEOF\nRUN echo \\\n# FROM debian\n  FROM debian\n",
    f"# syntax=docker/dockerfile:1@sha256:{HEX}\nFROM scratch\n",
    "# escape=`\nFROM scratch\nRUN a `\nFROM debian\n",
])  # fmt: skip
def test_what_is_named_by_digest_passes(text):
    assert found(text) == []


@pytest.mark.parametrize(("text", "line"), [
    ("FROM debian:12\n", 1),
    ("# a comment\nFROM debian\n", 2),
    ("ARG WHICH=debian:12\nFROM $WHICH\n", 2),
    ("FROM ${UNKNOWN}\n", 1),
    ("FROM scratch\nCOPY --from=nginx:latest /etc /etc\n", 2),
    ("FROM scratch\nRUN --mount=type=bind,from=golang:1,target=/x true\n", 2),
    ("# syntax=docker/dockerfile:1\nFROM scratch\n", 1),
    ("FROM later\nFROM scratch AS later\n", 1),
    ("FROM \\\n  debian:12\n", 1),
])  # fmt: skip
def test_an_image_without_a_digest_is_found_with_its_line(text, line):
    assert found(text) == [("component/base", f"D:{line}")]


def test_base_image_needs_a_platform_with_a_base():
    assert found("ARG BASE_IMAGE\nFROM ${BASE_IMAGE}\n", base=None) == [("component/base", "D:2")]


def test_code_needs_a_stage_runtime():
    assert found("FROM scratch AS build\n", is_whole=False) == [("component/stage", "D")]
    assert found("FROM scratch AS runtime\n", is_whole=False) == []
