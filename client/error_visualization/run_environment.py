"""Which run of which job this process belongs to, from the variables that CI systems and schedulers set: a table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

KEYS = ("id", "job", "suite", "commit", "branch", "user", "url")
OWN = "ERROR_VISUALIZATION_RUN_"


class _System(NamedTuple):
    """`present` is a variable that only this system sets. A value is a variable, or a template of several; the first of
    a tuple that is there counts."""

    present: str
    values: Mapping[str, tuple[str, ...]]


_SYSTEMS = (
    _System("GITHUB_ACTIONS", {
        "id": ("{GITHUB_RUN_ID}-{GITHUB_RUN_ATTEMPT}", "{GITHUB_RUN_ID}"),
        "job": ("{GITHUB_JOB}",),
        "suite": ("{GITHUB_WORKFLOW}",),
        "commit": ("{GITHUB_SHA}",),
        "branch": ("{GITHUB_HEAD_REF}", "{GITHUB_REF_NAME}"),
        "user": ("{GITHUB_ACTOR}",),
        "url": ("{GITHUB_SERVER_URL}/{GITHUB_REPOSITORY}/actions/runs/{GITHUB_RUN_ID}",),
    }),
    _System("GITLAB_CI", {
        "id": ("{CI_PIPELINE_ID}",),
        "job": ("{CI_JOB_NAME}",),
        "suite": ("{CI_PIPELINE_NAME}", "{CI_PROJECT_PATH}"),
        "commit": ("{CI_COMMIT_SHA}",),
        "branch": ("{CI_MERGE_REQUEST_SOURCE_BRANCH_NAME}", "{CI_COMMIT_REF_NAME}"),
        "user": ("{GITLAB_USER_LOGIN}",),
        "url": ("{CI_JOB_URL}", "{CI_PIPELINE_URL}"),
    }),
    _System("BUILDKITE", {
        "id": ("{BUILDKITE_BUILD_ID}",),
        "job": ("{BUILDKITE_LABEL}", "{BUILDKITE_STEP_KEY}"),
        "suite": ("{BUILDKITE_PIPELINE_SLUG}",),
        "commit": ("{BUILDKITE_COMMIT}",),
        "branch": ("{BUILDKITE_BRANCH}",),
        "user": ("{BUILDKITE_BUILD_CREATOR}",),
        "url": ("{BUILDKITE_BUILD_URL}#{BUILDKITE_JOB_ID}", "{BUILDKITE_BUILD_URL}"),
    }),
    _System("JENKINS_URL", {
        "id": ("{BUILD_TAG}", "{BUILD_ID}"),
        "job": ("{JOB_NAME}",),
        "commit": ("{GIT_COMMIT}",),
        "branch": ("{CHANGE_BRANCH}", "{BRANCH_NAME}", "{GIT_BRANCH}"),
        "user": ("{BUILD_USER_ID}",),
        "url": ("{BUILD_URL}",),
    }),
    _System("SLURM_JOB_ID", {
        "id": ("{SLURM_ARRAY_JOB_ID}_{SLURM_ARRAY_TASK_ID}", "{SLURM_JOB_ID}"),
        "job": ("{SLURM_JOB_NAME}",),
        "suite": ("{SLURM_JOB_PARTITION}",),
        "user": ("{SLURM_JOB_USER}", "{USER}"),
    }),
    _System("KUBERNETES_SERVICE_HOST", {
        "id": ("{JOB_NAME}", "{POD_NAME}", "{HOSTNAME}"),
        "job": ("{JOB_NAME}", "{POD_NAMESPACE}"),
    }),
)  # fmt: skip


def run(environ: Mapping[str, str]) -> dict[str, str] | None:
    """Returns the `run` of a report: of id, job, suite, commit, branch, user and url what is known; None for nothing.
    Variables of our own go before those of a CI system, and the CI system before a scheduler."""
    found: dict[str, str] = {}
    for system in _SYSTEMS:
        if environ.get(system.present):
            found = _values(system, environ)
            break
    for key in KEYS:
        own = environ.get(OWN + key.upper())
        if own:
            found[key] = own
    return {key: found[key] for key in KEYS if key in found} or None


def _values(system: _System, environ: Mapping[str, str]) -> dict[str, str]:
    found = {}
    for key, templates in system.values.items():
        for template in templates:
            text = _filled(template, environ)
            if text:
                found[key] = text
                break
    return found


def _filled(template: str, environ: Mapping[str, str]) -> str:
    """Returns `template` with the variables in it; "" if one of them is absent or empty."""
    pieces = []
    for part in template.split("{"):
        name, closed, rest = part.partition("}")
        if not closed:
            pieces.append(part)
            continue
        value = environ.get(name)
        if not value:
            return ""
        pieces.append(value + rest)
    return "".join(pieces)
