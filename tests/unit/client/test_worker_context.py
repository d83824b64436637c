"""What the environment says about worker, rank, run and test: tables."""

import socket
import threading
from typing import Any

import pytest
from error_visualization import context

pytestmark = pytest.mark.dashboard
HOST = socket.gethostname()


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, None),
        ({"GITHUB_ACTIONS": "true", "GITHUB_RUN_ID": "17", "GITHUB_RUN_ATTEMPT": "2", "GITHUB_JOB": "test", "GITHUB_WORKFLOW": "CI",
          "GITHUB_SHA": "abc", "GITHUB_REF_NAME": "main", "GITHUB_ACTOR": "ada", "GITHUB_SERVER_URL": "https://github.example",
          "GITHUB_REPOSITORY": "o/r"},
         {"id": "17-2", "job": "test", "suite": "CI", "commit": "abc", "branch": "main", "user": "ada",
          "url": "https://github.example/o/r/actions/runs/17"}),
        ({"GITHUB_ACTIONS": "true", "GITHUB_RUN_ID": "17", "GITHUB_HEAD_REF": "fix", "GITHUB_REF_NAME": "7/merge"},
         {"id": "17", "branch": "fix"}),
        ({"GITLAB_CI": "true", "CI_PIPELINE_ID": "9", "CI_JOB_NAME": "unit", "CI_PROJECT_PATH": "g/p", "CI_COMMIT_SHA": "def",
          "CI_COMMIT_REF_NAME": "dev", "GITLAB_USER_LOGIN": "bob", "CI_JOB_URL": "https://gitlab.example/j/1"},
         {"id": "9", "job": "unit", "suite": "g/p", "commit": "def", "branch": "dev", "user": "bob", "url": "https://gitlab.example/j/1"}),
        ({"JENKINS_URL": "http://j/", "BUILD_TAG": "jenkins-x-3", "JOB_NAME": "x", "GIT_COMMIT": "c", "BRANCH_NAME": "b",
          "BUILD_URL": "http://j/x/3"},
         {"id": "jenkins-x-3", "job": "x", "commit": "c", "branch": "b", "url": "http://j/x/3"}),
        ({"BUILDKITE": "true", "BUILDKITE_BUILD_ID": "u", "BUILDKITE_LABEL": "tests", "BUILDKITE_PIPELINE_SLUG": "p",
          "BUILDKITE_COMMIT": "c", "BUILDKITE_BRANCH": "b", "BUILDKITE_BUILD_CREATOR": "ann",
          "BUILDKITE_BUILD_URL": "https://b/1", "BUILDKITE_JOB_ID": "2"},
         {"id": "u", "job": "tests", "suite": "p", "commit": "c", "branch": "b", "user": "ann", "url": "https://b/1#2"}),
        ({"SLURM_JOB_ID": "5", "SLURM_JOB_NAME": "train", "SLURM_JOB_PARTITION": "gpu", "SLURM_JOB_USER": "eve"},
         {"id": "5", "job": "train", "suite": "gpu", "user": "eve"}),
        ({"SLURM_JOB_ID": "6", "SLURM_ARRAY_JOB_ID": "5", "SLURM_ARRAY_TASK_ID": "1"}, {"id": "5_1"}),
        ({"KUBERNETES_SERVICE_HOST": "10.0.0.1", "HOSTNAME": "pod-7"}, {"id": "pod-7"}),
        ({"SLURM_JOB_ID": "5", "ERROR_VISUALIZATION_RUN_ID": "mine", "ERROR_VISUALIZATION_RUN_URL": "http://u"},
         {"id": "mine", "url": "http://u"}),
        ({"ERROR_VISUALIZATION_RUN_SUITE": "s"}, {"suite": "s"}),
        ({"GITHUB_ACTIONS": "true", "GITHUB_RUN_ID": "1", "SLURM_JOB_ID": "2"}, {"id": "1"}),
    ],
)  # fmt: skip
def test_the_run(environ: dict[str, str], expected: Any) -> None:
    assert context.run(environ) == expected


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, {}),
        ({"RANK": "3", "WORLD_SIZE": "8", "LOCAL_RANK": "1"}, {"rank": 3, "world_size": 8, "local_rank": 1}),
        (
            {"SLURM_PROCID": "2", "SLURM_NTASKS": "4", "SLURM_LOCALID": "0"},
            {"rank": 2, "world_size": 4, "local_rank": 0},
        ),
        ({"OMPI_COMM_WORLD_RANK": "1", "OMPI_COMM_WORLD_SIZE": "2"}, {"rank": 1, "world_size": 2}),
        ({"PMI_RANK": "5", "PMI_SIZE": "6"}, {"rank": 5, "world_size": 6}),
        ({"RANK": "x", "WORLD_SIZE": "8"}, {}),
        ({"RANK": "1", "SLURM_PROCID": "0"}, {"rank": 1}),
    ],
)
def test_the_rank(environ: dict[str, str], expected: dict[str, int]) -> None:
    assert context.rank(environ) == expected


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, HOST),
        ({"ERROR_VISUALIZATION_WORKER_ID": "mine", "RANK": "1", "WORLD_SIZE": "2"}, "mine"),
        ({"RANK": "1", "WORLD_SIZE": "2"}, f"{HOST}-rank1"),
        ({"RANK": "0", "WORLD_SIZE": "1"}, HOST),
        ({"PYTEST_XDIST_WORKER": "gw3"}, f"{HOST}-gw3"),
        ({"POD_NAME": "pod"}, "pod"),
        ({"SLURMD_NODENAME": "node7", "SLURM_PROCID": "9", "SLURM_NTASKS": "16"}, "node7-rank9"),
    ],
)
def test_the_worker(environ: dict[str, str], expected: str) -> None:
    assert context.worker_id(environ) == expected


def test_the_test() -> None:
    current = "tests/test_a.py::TestB::test_c[x (y)] (call)"
    assert context.test({"PYTEST_CURRENT_TEST": current}) == {
        "id": "tests/test_a.py::TestB::test_c[x (y)]",
        "file": "tests/test_a.py",
    }
    assert context.test({}) is None


def test_what_is_given_is_kept_and_what_is_missing_is_filled_in() -> None:
    environ = {"ERROR_VISUALIZATION_RUN_ID": "r"}
    found = context.completed({"message": "m", "timestamp": 5, "run": {"id": "mine"}, "worker_id": None}, "w", environ)
    process = found.pop("process")
    assert found == {"message": "m", "timestamp": 5, "run": {"id": "mine"}, "worker_id": "w"}
    assert process["host"] == HOST
    assert process["thread"] == threading.current_thread().name
    assert context.completed({}, "w", environ)["run"] == {"id": "r"}
    assert context.completed({"run": None}, "w", {})["run"] is None
