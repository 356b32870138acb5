"""Hydra's own test suites for launchers and sweepers, where Trainyard and its plugins are installed.

Trainyard ships no launcher; it adds a search path, a sweeper and a callback, which every Hydra program imports or which
its jobs pass through. So the suites run with them, on Hydra's own sweeper, for Hydra's launcher and for joblib's.
NOT_RUN names the rest. test_hydras_own.py runs this file.
"""

import inspect

import pytest
from hydra.test_utils import launcher_common_tests as suites

CALLBACK = "+hydra.callbacks.multirun._target_=trainyard.config.multirun.Multirun"
NOT_RUN = {
    "hydra/sweeper=trainyard": "each suite runs a function of its own on its own config and reads what it returned; "
    "this sweeper runs trainings and keeps their results in a study: test_jobs.py, test_sweep.py",
    "IntegrationTestSuite, hydra/launcher=joblib": "it expects each job to work in its own directory; with CALLBACK "
    "jobs elsewhere work in that of the command, so that relative paths mean the same: test_launchers.py",
    "BatchedSweeperTestSuite, hydra/launcher=joblib": "batches are the sweeper's; with Hydra's launcher it is run",
    "hydra/launcher=submitit_local, submitit_slurm, ray": "start in minutes: test_launchers.py, make cluster",
}


@pytest.mark.parametrize(("launcher_name", "overrides"), [("basic", [CALLBACK])])
class TestHydrasLauncher(suites.LauncherTestSuite):
    """hydra/launcher=basic"""


@pytest.mark.parametrize(("launcher_name", "overrides"), [("basic", [CALLBACK, "hydra.sweeper.max_batch_size=2"])])
class TestBatches(suites.BatchedSweeperTestSuite):
    """hydra/launcher=basic, two jobs at a time"""


@pytest.mark.parametrize(("task_launcher_cfg", "extra_flags"), [({}, ["-m", CALLBACK])])
class TestPrograms(suites.IntegrationTestSuite):
    """Programs in interpreters of their own: names and directories of jobs"""


@pytest.mark.parametrize(("launcher_name", "overrides"), [("joblib", [CALLBACK, "hydra.launcher.n_jobs=2"])])
class TestJoblib(suites.LauncherTestSuite):
    """hydra/launcher=joblib"""

    @pytest.fixture(autouse=True)
    def joblib(self) -> None:
        pytest.importorskip("hydra_plugins.hydra_joblib_launcher", reason="needs the extra joblib")


def test_each_suite_is_run() -> None:
    found = {name for name, _ in inspect.getmembers(suites, inspect.isclass) if name.endswith("TestSuite")}
    run = {
        base.__name__ for each in (TestHydrasLauncher, TestBatches, TestPrograms, TestJoblib) for base in each.__mro__
    }
    assert found == {name for name in run if name.endswith("TestSuite")}
