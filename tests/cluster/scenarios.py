"""What happens on two nodes, each scenario with its own asserts; a failed one raises."""

import shlex
import subprocess
from pathlib import Path

from checks import Checks, equal, read
from ray_cluster import Ray
from slurm import Slurm
from stage import Stage, wait_until

PATIENCE = 240  # seconds
NETWORK = {"GLOO_SOCKET_IFNAME": "eth0"}
COMES_BACK = {"TORCH_DISABLE_SHARE_RDZV_TCP_STORE": "1"}  # so that a node can
TRAINING = ["model=mlp", "model.widths=[16]", "data=shapes", "data.size=640", "data.test_size=100", "seed=1",
            "trainer.max_epochs=8", "callbacks.resume.every_seconds=0.5", "logger=csv"]  # fmt: skip
SWEEP = ["sweep=xor", "trainer.max_epochs=40", "callbacks.resume.every_seconds=0.5", "hydra.sweeper.n_jobs=2",
         "hydra.sweeper.plots=false"]  # fmt: skip


def slowly(seconds: float) -> str:
    """The word that lets each step take so long."""
    return f"+callbacks.pace={{_target_: pace.Pace, seconds: {seconds}}}"


class Scenarios(Checks):
    """A method each, played on a stage of its own."""

    stage: Stage
    python: Path  # has what the scenario needs

    def play(self, name: str, stage: Stage, python: Path) -> None:
        """Play the scenario of that name; an exception says what went wrong."""
        self.stage, self.python, self.root = stage, python, stage.folder / "outputs"
        stage.environment |= NETWORK
        getattr(self, name)()

    def describe(self, name: str) -> str:
        """A scenario in a sentence."""
        return str(getattr(self, name).__doc__).rstrip(".")

    def undisturbed(self) -> None:
        """What the others are compared with: two processes on one node, and a sweep one trial after the other."""
        words = [*TRAINING, "hardware=ddp", "hardware.accelerator=cpu", "hardware.devices=2"]
        node, root = self.stage.nodes[1], f"run.root={self.root}/undisturbed"
        run = self.root / "undisturbed" / "run"
        node.run(self.python, "train.py", *words, root, f"run.dir={run}", timeout=PATIENCE)
        self.expected.scores = self.came_to(run)
        sweep = [*SWEEP, "hydra.sweeper.n_trials=6", "hydra.sweeper.execution=launcher"]
        node.run(self.python, "train.py", "-m", *sweep, root, timeout=PATIENCE)
        self.expected.trials = self.table("undisturbed")

    def torchrun(self) -> None:
        """A run over two nodes, of which the second is killed and comes back."""
        first, second = (self.start_torchrun(number, **COMES_BACK) for number in (1, 2))
        wait_until(lambda: self.is_under_way("torchrun"), "a resume point", PATIENCE)
        self.stage.nodes[2].kill()
        second.wait()
        self.stage.boot(2)
        second = self.start_torchrun(2, **COMES_BACK)
        self.check_torchrun(first, second)

    def torchrun_process(self) -> None:
        """A run over two nodes, of whose processes the first is killed; torchrun starts both again."""
        first, second = (self.start_torchrun(number) for number in (1, 2))
        run = wait_until(lambda: self.is_under_way("torchrun"), "a resume point", PATIENCE)
        status = read(run / "status.json")
        self.stage.nodes[int(status["host"][-1])].run("kill", "-9", str(status["pid"]))
        self.check_torchrun(first, second)

    def start_torchrun(self, number: int, **env: str) -> subprocess.Popen:
        """The same command on each node."""
        node = self.stage.nodes[number]
        words = ["--nnodes=2", "--nproc-per-node=1", "--max-restarts=3", "--rdzv-backend=c10d", "--rdzv-id=7",
                 "--rdzv-endpoint=node1:29400", f"--local-addr={node.address}", "train.py", *TRAINING, slowly(0.15),
                 "hardware=ddp", "hardware.accelerator=cpu", f"run.root={self.root}/torchrun"]  # fmt: skip
        log = self.stage.folder / f"torchrun-{node.name}.log"
        return node.start(self.python, "-m", "torch.distributed.run", *words, log=log, **env)

    def check_torchrun(self, first: subprocess.Popen, second: subprocess.Popen) -> None:
        """Both end well, and the run is the undisturbed one."""
        equal("exit codes", (first.wait(PATIENCE), second.wait(PATIENCE)), (0, 0))
        run = self.only_run("torchrun")
        equal("name", run.name, "torchrun-7")
        self.check_resumed(run, attempts=2)

    def srun_requeued(self) -> None:
        """Two tasks on two nodes; Slurm takes the nodes away (TERM) and starts the job again."""
        slurm = Slurm(self.stage)
        job, run = self.submit_srun(slurm, "exec srun --ntasks=2 {command}")
        slurm.ask("scontrol", "requeue", job)
        self.check_srun(slurm, job, run)

    def srun_requeues_itself(self) -> None:
        """Two tasks on two nodes get USR1, as before the end of their time, and the job queues itself again."""
        slurm = Slurm(self.stage)
        script = (
            "srun --ntasks=2 {command}; code=$?\nif [ $code = 75 ]; then scontrol requeue $SLURM_JOB_ID; fi\nexit $code"
        )
        job, run = self.submit_srun(slurm, script)
        slurm.ask("scancel", "--signal=USR1", f"{job}.0")
        self.check_srun(slurm, job, run)

    def submit_srun(self, slurm: Slurm, script: str) -> tuple[str, Path]:
        """A job that trains on two nodes, with its run directory, as soon as there is a resume point."""
        command = [self.python, "train.py", *TRAINING, slowly(0.15), "hardware=ddp", "hardware.accelerator=cpu",
                   "hardware.num_nodes=2", f"run.root={self.root}/srun"]  # fmt: skip
        options = ["--nodes=2", "--ntasks-per-node=1", "--requeue", "--open-mode=append"]
        script = script.format(command=shlex.join(map(str, command)))
        job = slurm.submit(script, *options, f"--output={self.stage.folder}/srun.log")
        run = wait_until(lambda: self.is_under_way("srun"), "a resume point", PATIENCE)
        equal("name", run.name, f"slurm-{job}.0")
        return job, run

    def check_srun(self, slurm: Slurm, job: str, run: Path) -> None:
        """The job is started twice, and ends well; both tasks leave with 75 in between."""
        slurm.start_again(job)
        state = wait_until(lambda: slurm.ended(job), f"the end of job {job}", PATIENCE)
        equal("job", (state["JobState"], state["ExitCode"], state["Restarts"]), ("COMPLETED", "0:0", "1"))
        self.only_run("srun")
        log = (self.stage.folder / "srun.log").read_text()
        equal("tasks that ended with code 75", log.count("Exited with exit code 75"), 2)
        self.check_resumed(run, attempts=2)

    def submitit(self) -> None:
        """A sweep of 4 trials, each a job of Slurm's, of which one is queued again."""
        slurm = Slurm(self.stage)
        sweep = self.sweep("submitit", "hydra/launcher=slurm", "hydra.sweeper.n_trials=4", slowly(0.15))
        run = wait_until(lambda: self.is_under_way("submitit", "node2"), "a trial on node2", PATIENCE)
        job = slurm.ask("squeue", "--noheader", "--nodelist=node2", "--format=%i").strip()
        slurm.ask("scancel", "--signal=USR2", job)  # submitit's, before a job's time is over
        slurm.start_again(job)
        equal("exit code", sweep.wait(PATIENCE), 0)
        equal("trials", self.table("submitit"), self.expected.trials[:4])
        equal("attempts of the trial", read(run / "status.json")["attempt"], 2)

    def ray(self) -> None:
        """A sweep of 6 trials on a Ray cluster, whose second node is killed while it runs one."""
        Ray(self.stage, self.python)
        words = ["hydra/launcher=ray_cluster", "hydra.sweeper.n_trials=6", slowly(0.1)]
        sweep = self.sweep("ray", *words)
        moved = wait_until(lambda: self.is_under_way("ray", "node2"), "a trial with a resume point on node2", PATIENCE)
        self.stage.nodes[2].kill()
        equal("exit code", sweep.wait(PATIENCE), 0)
        equal("trials", self.table("ray"), self.expected.trials)
        status = read(moved / "status.json")
        equal("the killed node's trial", (status["state"], status["host"], status["attempt"]), ("done", "node1", 2))

    def sweep(self, name: str, *words: str) -> subprocess.Popen:
        """Start a sweep on node1."""
        command = [self.python, "train.py", "-m", *SWEEP, *words, f"run.root={self.root}/{name}"]
        return self.stage.nodes[1].start(*command, log=self.stage.folder / f"{name}.log")
