"""VGG16, and published weights from a server on this machine."""

import hashlib
import threading
from collections.abc import Iterator
from functools import partial
from http.server import HTTPServer, SimpleHTTPRequestHandler
from pathlib import Path

import pytest
import torch
import torchvision
from torchvision.models import VGG16_Weights

import trainyard
from trainyard.errors import UserError
from trainyard.models.vgg16 import VGG16

IMAGE = [3, 32, 32]
WORDS = ["model=vgg16", "data=shapes", "data.size=200", "data.test_size=100", "logger=none", "pretrained=imagenet"]
FIRST = torch.full((64, 3, 3, 3), 0.01)


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A stand-in of torchvision's file with the first layer alone, named by its checksum; an empty cache."""
    folder = tmp_path / "server"
    folder.mkdir()
    torch.save({"features.0.weight": FIRST, "classifier.0.weight": torch.ones(4, 4)}, folder / "x")
    file = folder / f"vgg16-{hashlib.sha256((folder / 'x').read_bytes()).hexdigest()[:8]}.pth"
    (folder / "x").rename(file)

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *words: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), partial(Quiet, directory=folder))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(VGG16_Weights.IMAGENET1K_V1.value, "url", f"http://127.0.0.1:{server.server_port}/{file.name}")
    yield file
    server.shutdown()
    server.server_close()


def test_the_base_is_torchvisions_name_for_name() -> None:
    with torch.device("meta"):
        ours, theirs = VGG16(IMAGE, 10).base.state_dict(), torchvision.models.vgg16(init_weights=False).features
    assert {name: p.shape for name, p in ours.items()} == {name: p.shape for name, p in theirs.state_dict().items()}
    assert [str(layer) for layer in VGG16(IMAGE, 10).base] == [str(layer) for layer in theirs]


@pytest.mark.parametrize(("shape", "resize"), [([3, 32, 32], None), ([1, 40, 56], None), ([3, 8, 8], 32)])
def test_any_size_from_32_pixels_on_will_do(shape: list[int], resize: int | None) -> None:
    assert VGG16(shape, 5, resize=resize)(torch.zeros(2, *shape)).shape == (2, 5)


def test_smaller_images_are_refused() -> None:
    with pytest.raises(ValueError, match=r"shape=\[3, 31, 64\] and resize=None give; set model.res"):
        VGG16([3, 31, 64], 10)
    with pytest.raises(ValueError, match="resize=16 give; set model.resize=32"):
        VGG16(IMAGE, 10, resize=16)


def test_published_weights_are_downloaded_once_and_never_to_reopen_a_run(
    served: Path, short: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    frozen = [*short, *WORDS, "callbacks=finetune", "trainer.max_epochs=1"]
    run = trainyard.train(frozen)
    served.unlink()
    assert torch.equal(trainyard.train(frozen).task().net.base[0].weight, FIRST)  # from the cache
    monkeypatch.setenv("TORCH_HOME", "/nowhere")
    assert torch.equal(run.task().net.base[0].weight, FIRST)


def test_a_wrong_checksum_is_refused(served: Path, short: list[str]) -> None:
    served.write_bytes(served.read_bytes() + b"x")
    with pytest.raises(UserError, match=f"{served.name} from http://127.* is damaged .*invalid hash"):
        trainyard.train([*short, *WORDS])


def test_without_a_network_it_is_said_what_to_put_where(
    served: Path, short: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(VGG16_Weights.IMAGENET1K_V1.value, "url", f"http://127.0.0.1:1/{served.name}")  # refused
    message = (
        f"{served.name} is not in {tmp_path}/home/hub/checkpoints, and could not be downloaded .*put it there from"
    )
    with pytest.raises(UserError, match=message):
        trainyard.train([*short, *WORDS])
