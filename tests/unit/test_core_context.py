"""What a build with Docker gets of a component, and which of its inputs stand for that."""

from __future__ import annotations

import pytest

from lockstep.core.bundle import Bundle, parse_bundle
from lockstep.core.component import Component, parse_component
from lockstep.core.context import builder_of, built_inputs, context_paths, covering
from lockstep.core.errors import Refused
from lockstep.core.source import is_file

HEX = "0123456789abcdef" * 4
TEXT = (
    "name: ocr\ndescription: Reads.\nowner: team\nkind: service\ncommand: [a]\ncontract: contract/openapi.yaml\n"
    "weights: [weights/a.bin.dvc]\nprompts: [prompts/a.prompt]\ncalls: {llm: contract/uses/llm.yaml}\n"
)
FILES = (
    "Dockerfile", ".dockerignore", "component.yaml", "requirements.lock", "src/a.py", "src/b/c.py", "tests/test_a.py",
    "weights/a.bin.dvc", "weights.lock", "prompts/a.prompt", "contract/openapi.yaml", "contract/uses/llm.yaml",
    "etc/app.conf", "etc/note.md", "fonts/one.ttf",
)  # fmt: skip


def component(image: str) -> Component:
    return parse_component(f"{TEXT}image: {image}\n", "components/ocr/component.yaml", "ocr")


def bundle(more: str = "") -> Bundle:
    return parse_bundle(f"name: b\nentry: ocr\nenvironments: {{staging: {{}}}}\n{more}", "lockstep.yaml")


def test_appended_code_prompts_weights_and_contracts_are_not_for_the_image():
    paths = context_paths(component("{dockerfile: Dockerfile, code: [src]}"), FILES, "")

    assert paths == ("Dockerfile", "etc/app.conf", "etc/note.md", "fonts/one.ttf", "requirements.lock")


def test_code_that_the_dockerfile_copies_is_for_the_image():
    paths = context_paths(component("{dockerfile: Dockerfile}"), FILES, "**/*.md\nfonts\n")

    assert paths == ("Dockerfile", "etc/app.conf", "requirements.lock", "src/a.py", "src/b/c.py")


def test_the_dockerfile_is_there_whatever_is_ignored():
    assert context_paths(component("{dockerfile: Dockerfile}"), FILES, "*\n") == ("Dockerfile",)


def test_a_folder_stands_for_its_files_where_all_of_them_are_chosen():
    chosen = {"a/x", "a/b/y", "c/d/z", "top"}

    assert covering(chosen, [*chosen, "c/other"]) == ("a", "c/d", "top")
    assert covering(set(), ["a"]) == ()


@pytest.mark.parametrize(("more", "image", "name"), [
    ("", "{dockerfile: Dockerfile}", "wheels"),
    ("builder: docker", "{dockerfile: Dockerfile}", "docker"),
    ("builder: docker", "{dockerfile: Dockerfile, builder: wheels}", "wheels"),
    ("", "{dockerfile: Dockerfile, builder: docker}", "docker"),
])  # fmt: skip
def test_a_component_says_its_builder_or_the_bundle_does(more, image, name):
    assert builder_of(bundle(more), component(image)) == name


def test_how_docker_builds_is_an_input_and_no_file():
    plain = component("{dockerfile: Dockerfile, builder: docker, code: [src]}")
    others = [
        component("{dockerfile: Dockerfile, builder: docker}"),
        component("{dockerfile: Dockerfile, builder: docker, code: [src], args: {LEVEL: '2'}}"),
    ]

    (said,) = built_inputs(plain.name, plain, bundle())

    assert not is_file(said)
    assert all(built_inputs(other.name, other, bundle())[0].oid != said.oid for other in others)
    assert built_inputs(plain.name, component("{dockerfile: Dockerfile}"), bundle()) == ()


@pytest.mark.parametrize("image", [
    f"{{reference: 'a@sha256:{HEX}', builder: docker}}", f"{{reference: 'a@sha256:{HEX}', args: {{A: b}}}}",
    "{dockerfile: Dockerfile, args: {BASE_IMAGE: x}}", "{dockerfile: Dockerfile, builder: kaniko}",
])  # fmt: skip
def test_what_no_builder_understands_is_refused(image):
    with pytest.raises(Refused):
        component(image)
