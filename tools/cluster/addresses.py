"""Where things are in the cluster: one /16 of which the machine routes every address to the node."""

from __future__ import annotations

MACHINE = "10.220.1.1"  # this machine's end of the cable
NODE = "10.220.1.2"  # the node's end: API server, registry, DNS
CABLE = 30  # prefix of the network that both are in
ALL = "10.220.0.0/16"
PODS = "10.220.0.0/24"
SERVICES = "10.220.4.0/22"
API_SERVICE = "10.220.4.1"  # the first address of SERVICES, as Kubernetes takes it
API = f"https://{NODE}:6443"
REGISTRY = f"{NODE}:5000"
LINK = "lockstep0"  # the cable's end on this machine
NODE_NAME = "node"
