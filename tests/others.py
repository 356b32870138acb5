"""LightningModules and a LightningDataModule as other people write them: they know nothing of Trainyard."""

import torch
import torch.nn.functional as F
from lightning.pytorch import LightningDataModule, LightningModule
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset, random_split
from torchmetrics.classification import MulticlassAccuracy


class Digits(LightningDataModule):
    """Points around four centres, in the style of Lightning's MNISTDataModule; the split is not seeded."""

    def __init__(self, batch_size: int = 16, size: int = 160) -> None:
        super().__init__()
        self.save_hyperparameters()

    def setup(self, stage: str) -> None:
        labels = torch.arange(self.hparams.size) % 4
        points = F.one_hot(labels, 8).float() * 3 + torch.randn(len(labels), 8)
        whole = TensorDataset(points, labels)
        self.parts = random_split(whole, [0.6, 0.2, 0.2])

    def train_dataloader(self) -> DataLoader:
        return DataLoader(self.parts[0], batch_size=self.hparams.batch_size, shuffle=True)

    def val_dataloader(self) -> DataLoader:
        return DataLoader(self.parts[1], batch_size=self.hparams.batch_size)

    def test_dataloader(self) -> DataLoader:
        return DataLoader(self.parts[2], batch_size=self.hparams.batch_size)


class Classifier(LightningModule):
    """In the style of Lightning's image classifier: metrics as objects, a schedule, names with an underscore."""

    def __init__(self, width: int = 16, lr: float = 1e-2, dropout: float = 0.5) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.net = nn.Sequential(nn.Linear(8, width), nn.ReLU(), nn.Dropout(dropout), nn.Linear(width, 4))
        self.accuracy = nn.ModuleDict({split: MulticlassAccuracy(4) for split in ("valid", "test")})

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x)

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch[0]), batch[1])
        self.log("train_loss", loss, on_step=True, on_epoch=True)
        return loss

    def evaluate(self, split: str, batch: tuple[Tensor, Tensor]) -> None:
        logits = self(batch[0])
        self.accuracy[split](logits, batch[1])
        self.log(f"{split}_loss", F.cross_entropy(logits, batch[1]), sync_dist=True)
        self.log(f"{split}_acc", self.accuracy[split])

    def validation_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        self.evaluate("valid", batch)

    def test_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        self.evaluate("test", batch)

    def configure_optimizers(self) -> dict:
        optimizer = torch.optim.Adam(self.parameters(), lr=self.hparams.lr)
        scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, patience=0)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "monitor": "valid_loss"}}


class AutoEncoder(LightningModule):
    """As in Lightning's documentation: an encoder and a decoder as arguments, no test."""

    def __init__(self, encoder: nn.Module, decoder: nn.Module) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.encoder, self.decoder = encoder, decoder

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        x, _ = batch
        return F.mse_loss(self.decoder(self.encoder(x)), x)

    def validation_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        x, _ = batch
        self.log("val_loss", F.mse_loss(self.decoder(self.encoder(x)), x))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=1e-3)


class GAN(LightningModule):
    """As Lightning's example of a GAN: two optimizers that step by hand, noise in every step, no validation."""

    def __init__(self, latent_dim: int = 4, lr: float = 2e-3) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.automatic_optimization = False
        self.generator = nn.Sequential(nn.Linear(latent_dim, 16), nn.ReLU(), nn.Linear(16, 8))
        self.discriminator = nn.Sequential(nn.Linear(8, 16), nn.LeakyReLU(0.2), nn.Linear(16, 1))

    def forward(self, z: Tensor) -> Tensor:
        return self.generator(z)

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        real, _ = batch
        first, second = self.optimizers()
        z = torch.randn(len(real), self.hparams.latent_dim, device=self.device)
        self.toggle_optimizer(first)
        fooled = self.discriminator(self(z))
        g_loss = F.binary_cross_entropy_with_logits(fooled, torch.ones_like(fooled))
        self.log("g_loss", g_loss, prog_bar=True)
        self.manual_backward(g_loss)
        first.step()
        first.zero_grad()
        self.untoggle_optimizer(first)
        self.toggle_optimizer(second)
        scores = torch.cat([self.discriminator(real), self.discriminator(self(z).detach())])
        wanted = torch.cat([torch.ones(len(real), 1), torch.zeros(len(real), 1)]).to(scores)
        d_loss = F.binary_cross_entropy_with_logits(scores, wanted)
        self.log("d_loss", d_loss, prog_bar=True)
        self.manual_backward(d_loss)
        second.step()
        second.zero_grad()
        self.untoggle_optimizer(second)

    def configure_optimizers(self) -> tuple[list[torch.optim.Optimizer], list]:
        lr = self.hparams.lr
        return [torch.optim.Adam(self.generator.parameters(), lr=lr, betas=(0.5, 0.999)),
                torch.optim.Adam(self.discriminator.parameters(), lr=lr, betas=(0.5, 0.999))], []  # fmt: skip


def loader(size: int = 64, shuffle: bool = False) -> DataLoader:
    """A plain DataLoader."""
    labels = torch.arange(size) % 4
    points = F.one_hot(labels, 8).float() * 3 + torch.randn(size, 8, generator=torch.Generator().manual_seed(size))
    return DataLoader(TensorDataset(points, labels), batch_size=16, shuffle=shuffle)
