"""What commits changed, told from paths alone: which parts of a bundle, and whether nothing but the pointer moved."""

from __future__ import annotations

import pytest

from lockstep.core.names import ComponentName, EnvironmentName
from lockstep.core.touched import Touched, changed_components, gone_findings, touched

STAGING, PRODUCTION = EnvironmentName("staging"), EnvironmentName("production")
OCR, LLM = ComponentName("ocr"), ComponentName("llm")
POINTER = (
    "front/front.yaml",
    "front/gate.yaml",
    "gates/ocr-0123456789.yaml",
    "Chart.yaml",
    "hold.yaml",
    "flux/objects/front.yaml",
)
MORE = (
    "instances/ocr-0123456789.yaml",
    "bindings.yaml",
    "templates/manifests.yaml",
    "front/deeper/x.yaml",
    "Chart.yaml.orig",
)


@pytest.mark.parametrize("path", POINTER)
def test_a_pointers_own_file_touches_the_pointer_alone(path: str):
    assert touched({f"releases/staging/{path}": "M"}, [STAGING, PRODUCTION]) == Touched(pointers=frozenset({STAGING}))


@pytest.mark.parametrize("path", MORE)
def test_any_other_file_beside_it_touches_the_environment(path: str):
    changes = {"releases/staging/front/front.yaml": "M", f"releases/staging/{path}": "A"}

    assert touched(changes, [STAGING, PRODUCTION]) == Touched(environments=frozenset({STAGING}))


def test_environments_and_releases_are_told_apart():
    changes = {
        "releases/README.md": "M",
        "releases/1.0.0/release.yaml": "A",
        "releases/1.0.0/evidence/ab.json": "A",
        "releases/production/front/front.yaml": "M",
        "releases/staging/instances/x.yaml": "A",
        "releases/elsewhere/x.yaml": "A",
        "components/ocr/src/app.py": "M",
    }

    assert touched(changes, [STAGING, PRODUCTION]) == Touched(
        frozenset({"1.0.0"}), frozenset({STAGING}), frozenset({PRODUCTION}), (), ("releases/elsewhere/x.yaml",)
    )


def test_a_release_that_was_deleted_is_a_finding_and_not_verified():
    found = touched({"releases/1.0.0/release.yaml": "D", "releases/1.0.0/evidence/ab.json": "D"}, [STAGING])

    assert found == Touched(gone=("releases/1.0.0/release.yaml",))
    assert [finding.rule for finding in gone_findings(found)] == ["release/edited"]


@pytest.mark.parametrize(
    ("paths", "names"),
    [
        (["components/ocr/src/app.py"], {OCR}),
        (["components/ocr2/src/app.py", "lockstep.yaml"], set()),
        (["components/conftest.py"], {OCR, LLM}),
        ([], set()),
    ],
)
def test_components_are_told_by_their_folder(paths: list[str], names: set[ComponentName]):
    assert changed_components(paths, [OCR, LLM]) == names
