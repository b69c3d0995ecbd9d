"""The API server as far as starting a node needs it: one request, answered or not."""

from __future__ import annotations

import base64
import json
import ssl
from collections.abc import Mapping
from http.client import HTTPException, HTTPSConnection
from pathlib import Path
from typing import Any

from cluster.addresses import NODE
from lockstep.adapters import files


def ask(kubeconfig: Path, path: str, create: Mapping[str, Any] | None = None) -> bytes | None:
    """What the API server said; None while it does not answer, or answers that there is no such thing.

    Args:
        kubeconfig: An administrator's access, as node_files writes it.
        path: Such as `/readyz`.
        create: An object to be made there. One that is there already counts as made.
    """
    access = json.loads(files.read(kubeconfig))
    authority = base64.b64decode(access["clusters"][0]["cluster"]["certificate-authority-data"]).decode()
    context = ssl.create_default_context(cadata=authority)
    headers = {"authorization": f"Bearer {access['users'][0]['user']['token']}", "content-type": "application/json"}
    connection = HTTPSConnection(NODE, 6443, timeout=5, context=context)
    try:
        connection.request("POST" if create else "GET", path, json.dumps(create) if create else None, headers)
        answer = connection.getresponse()
        body = answer.read()
    except (OSError, HTTPException):
        return None
    finally:
        connection.close()
    return body if answer.status < 300 or (create and answer.status == 409) else None


def is_node_ready(kubeconfig: Path, name: str) -> bool:
    """Whether the node is there and its kubelet says that it is ready for pods."""
    body = ask(kubeconfig, f"/api/v1/nodes/{name}")
    conditions = json.loads(body)["status"].get("conditions", []) if body else []
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)
