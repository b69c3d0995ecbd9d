"""The forge: what keeps the repository, its protections and its pages of releases. GitLab, so far."""
