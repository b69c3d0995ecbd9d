"""Whether contracts are true: for the tests of components, those of this repository and those of any other bundle.

`serving` has schemathesis ask a running component everything that its contract says. It is imported by tests, and by
no command.
"""
