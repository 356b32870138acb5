import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from omegaconf import OmegaConf

import trainyard
from trainyard.config.compose import compose
from trainyard.config.resolve import resolve
from trainyard.distributed.ranks import Ranks
from trainyard.errors import UserError
from trainyard.hardware.settings import choose_accelerator, choose_precision, configure_torch, describe
from trainyard.machine import BF16, has_bf16_instructions
from trainyard.training.devices import resolve_devices

WORDS = ["model=mlp", "model.widths=[8]", "data=shapes", "data.size=200", "data.test_size=100"]


def test_auto_is_the_best_there_is() -> None:
    best = "gpu" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    assert choose_accelerator("auto") == best


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("hardware.accelerator=tpu", "hardware.accelerator=tpu is unknown; choose one of auto, cpu, gpu, mps"),
        ("hardware.precision=16-mixed", "hardware.precision=16-mixed needs a GPU; on a CPU use auto or 32-true"),
        ("hardware.matmul_precision=foo", "hardware.matmul_precision=foo must be one of highest, high, medium"),
        ("hardware.memory_format=nhwc", "hardware.memory_format=nhwc must be one of contiguous, channels_last"),
        ("hardware.devices=2000", "hardware.devices=2000, and this machine has .* cores?; ask for no more"),
        ("hardware.devices=0", "hardware.devices=0 must be auto or an integer of at least 1"),
        (
            "hardware.num_nodes=2",
            "hardware.num_nodes=2: each machine needs a start of its own. On each of them: torchrun",
        ),
        ("hardware.timeout=0", "hardware.timeout=0 must be a number of seconds above 0"),
        ("hardware.timeout=null", "hardware.timeout=None must be a number of seconds above 0"),
        ("hardware.max_restarts=-1", "hardware.max_restarts=-1 must be an integer of at least 0"),
        ("hardware.max_restarts=null", "hardware.max_restarts=None must be an integer of at least 0"),
        ("trainer.devices=2", "trainer.devices=2 and hardware.devices=1: set hardware.devices alone"),
        ("trainer.num_nodes=2", "trainer.num_nodes=2 and hardware.num_nodes=1: set hardware.num_nodes alone"),
    ],
)
def test_what_cannot_be_is_refused(word: str, message: str, short: list[str]) -> None:
    with pytest.raises(UserError, match=message):
        trainyard.train([*short, *WORDS, word])


def test_more_processes_than_gpus_that_they_see_are_refused(short: list[str]) -> None:
    ranks = Ranks(0, 1000, 0, 1000, "127.0.0.1", 29500, "srun")
    with pytest.raises(UserError, match="srun started 1000 processes on each machine, and this one shows them . GPU"):
        resolve_devices(compose([*short, *WORDS]).cfg, "gpu", ranks)


@pytest.mark.parametrize("word", ["trainer.strategy=fsdp", "trainer.sync_batchnorm=true"])
def test_what_hardware_says_of_several_processes_is_said_there_alone(word: str, short: list[str]) -> None:
    key = word.partition("=")[0].removeprefix("trainer.")
    with pytest.raises(UserError, match=f"trainer.{key}=.* and hardware.{key}=.*: set hardware.{key} alone"):
        trainyard.train([*short, *WORDS, word, "hardware.devices=2"])


def test_the_number_of_devices_may_be_auto(short: list[str]) -> None:
    with pytest.raises(UserError, match=r"data.batch_size=\d+ is the samples of a step over all processes"):
        trainyard.train([*short, *WORDS, "hardware.devices=auto", "hardware.num_nodes=auto", "data.batch_size=7"])


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
@pytest.mark.parametrize("memory_format", ["contiguous", "channels_last"])
def test_precision_and_memory_format_train(precision: str, memory_format: str, short: list[str]) -> None:
    words = ["model=resnet18", "model.width=8", f"hardware.precision={precision}"]
    run = trainyard.train([*short, *WORDS[2:], *words, f"hardware.memory_format={memory_format}"])
    assert {p.dtype for p in run.task().net.parameters()} == {torch.float32}
    assert f"precision {precision}, {memory_format} memory" in describe(run.cfg.hardware)


def test_a_convolution_that_breaks_channels_last_on_a_cpu_is_refused(short: list[str]) -> None:
    words = ["model=resnet18", "model.width=4", *WORDS[2:], "hardware.memory_format="]
    with pytest.raises(UserError, match="strided 1 x 1 convolution of 4 channels"):
        trainyard.train([*short, *words[:-1], words[-1] + "channels_last"])
    trainyard.train([*short, *words[:-1], words[-1] + "contiguous"])


def processor_with(*instructions: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let torch find these instructions, whatever this machine's processor has."""
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: dict.fromkeys(instructions, True))


@pytest.mark.parametrize("instruction", BF16)
def test_auto_precision_is_bf16_where_the_processor_has_it(instruction: str, monkeypatch: pytest.MonkeyPatch) -> None:
    processor_with("avx2", monkeypatch=monkeypatch)
    assert choose_precision("auto", "cpu") == "32-true"
    assert choose_precision("bf16-mixed", "cpu") == "bf16-mixed"
    processor_with("avx2", instruction, monkeypatch=monkeypatch)
    assert choose_precision("auto", "cpu") == "bf16-mixed"
    assert choose_precision("32-true", "cpu") == "32-true"


def test_torch_still_lists_the_instructions() -> None:
    assert torch.cpu.get_capabilities()["architecture"]
    assert has_bf16_instructions("cpu") in (True, False)


def test_a_run_keeps_the_precision_it_started_with(
    short: list[str], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """auto meant bf16 where it started; where there is none it continues with bf16, and reports what that costs."""
    processor_with("avx512_bf16", monkeypatch=monkeypatch)
    words = [*WORDS, "hardware=cpu", "hardware.precision=auto", "scheduler=constant", "trainer.max_epochs=1"]
    run = trainyard.train([*short, *words])
    assert run.cfg.hardware.precision == run.cfg.trainer.precision == "bf16-mixed"
    processor_with("avx2", monkeypatch=monkeypatch)
    caplog.clear()
    run = trainyard.train([f"resume={run.path}", "trainer.max_epochs=2"])
    assert run.cfg.hardware.precision == run.cfg.trainer.precision == "bf16-mixed"
    assert "no bfloat16 instructions" in caplog.text
    assert "hardware.precision=auto" in caplog.text


def test_a_deterministic_run_trains(short: list[str]) -> None:
    try:
        run = trainyard.train([*short, *WORDS, "hardware.deterministic=true"])
        assert torch.are_deterministic_algorithms_enabled()
        assert "deterministic" in describe(run.cfg.hardware)
    finally:
        torch.use_deterministic_algorithms(False)


@pytest.mark.parametrize(("value", "tf32"), [("highest", False), ("high", True)])
def test_the_tf32_switch_is_set(value: str, tf32: bool) -> None:
    hardware = resolve(compose(["hardware=cpu", f"hardware.matmul_precision={value}", "run.dir=x"])).hardware
    try:
        configure_torch(OmegaConf.merge(hardware, {"threads": None}))
        assert torch.get_float32_matmul_precision() == value
        assert torch.backends.cudnn.allow_tf32 == tf32
    finally:
        torch.set_float32_matmul_precision("highest")


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc is configured to keep memory")
def test_freed_memory_is_kept() -> None:
    """The pages of a large tensor are not faulted in each time one is made."""
    program = """
import resource, torch
from trainyard.hardware.platform_quirks import keep_freed_memory
keep_freed_memory()
for _ in range(10):  # until the heap has room for a tensor and its alignment
    torch.ones(16_000_000)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    torch.ones(16_000_000)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""
    faults = int(subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout)
    assert faults < 16_000  # one tensor has 15,625 pages


def test_numbers_too_small_for_a_fast_cpu_are_zero() -> None:
    """In all threads of torch: the switch is the calling thread's, from which those that it starts have it."""
    program = """
import torch
from trainyard.config.compose import compose
from trainyard.config.resolve import resolve
from trainyard.hardware.settings import configure_torch
configure_torch(resolve(compose(["hardware=cpu", "hardware.threads=2", "run.dir=x"])).hardware)
print(int((torch.full((1 << 20,), 1e-38) * 0.1 != 0).sum()))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "0"


@pytest.mark.slow
@pytest.mark.skipif(platform.system() != "Linux", reason="GNU's OpenMP, which torch brings on Linux")
@pytest.mark.parametrize(
    ("given", "spins"), [({}, "3000"), ({"GOMP_SPINCOUNT": "7"}, "7"), ({"OMP_WAIT_POLICY": "passive"}, "0")]
)
def test_threads_sleep_soon_so_that_another_program_costs_little(given: dict[str, str], spins: str) -> None:
    unset = {key: value for key, value in os.environ.items() if key not in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")}
    done = subprocess.run(
        [sys.executable, "-c", "import trainyard.hardware.settings"],
        env=unset | {"OMP_DISPLAY_ENV": "verbose"} | given,
        capture_output=True,
        text=True,
        check=True,
    )
    assert f"GOMP_SPINCOUNT = '{spins}'" in done.stderr


@pytest.mark.parametrize(
    ("model", "data"), [("mlp", "shapes"), ("gru", "imdb"), ("bert", "imdb"), ("bert", "imdb_mlm"), ("gpt", "imdb_lm")]
)
def test_every_task_calls_the_network_in_the_way_that_is_compiled(
    model: str, data: str, short: list[str], small_imdb: Path
) -> None:
    """Where torch may not compile, the first step ends in its error. To let it takes half a minute."""
    with torch.compiler.set_stance("fail_on_recompile"), pytest.raises(RuntimeError, match="Detected recompile"):
        trainyard.train([*short, f"model={model}", f"data={data}", "hardware.compile=true"])


@pytest.mark.slow
def test_a_compiled_network_learns_what_an_uncompiled_one_does(short: list[str]) -> None:
    words = ["model=mlp", "model.widths=[8]", "data=shapes", "data.size=200", "data.test_size=100", "logger=none",
             "data.val_fraction=0.5", "trainer.max_epochs=1", "data.batch_size=20"]  # fmt: skip
    plain, compiled = (trainyard.train([*short, *words, f"hardware.compile={value}"]) for value in ("false", "true"))
    assert compiled.summary["test"] == pytest.approx(plain.summary["test"], rel=1e-4)
    weights, expected = compiled.task().state_dict(), plain.task().state_dict()
    assert list(weights) == list(expected)  # no prefix of torch.compile's, with which it could not be opened without
    for name, value in weights.items():
        torch.testing.assert_close(value, expected[name], rtol=1e-4, atol=1e-6)


def test_checkpointed_blocks_need_blocks_and_change_no_score(short: list[str]) -> None:
    words = [*short, *WORDS[2:], "hardware.checkpoint_blocks="]
    with pytest.raises(UserError, match="hardware.checkpoint_blocks=true: MLP has no repeated blocks .* set it to fal"):
        trainyard.train([*words[:-1], "model=mlp", words[-1] + "true"])
    plain, checkpointed = (
        trainyard.train([*words[:-1], "model=resnet18", "model.width=4", f"{words[-1]}{value}"])
        for value in ("false", "true")
    )
    assert checkpointed.summary["test"] == plain.summary["test"]
    assert "checkpointed blocks" in describe(checkpointed.cfg.hardware)
