"""trainyard plot: save a figure as a PNG file."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trainyard.cli.compare import save_figure
from trainyard.cli.parser import examples
from trainyard.errors import UserError, printable

if TYPE_CHECKING:
    from trainyard.runs.run import Run


def add_parser(commands: Any) -> None:
    """Add the command, with a subcommand for each figure."""
    parser = commands.add_parser(
        "plot",
        help="curves, learning rates, a decision boundary, augmented images, as a PNG file",
        description="Save a figure as a PNG file, by default named after the figure.",
        epilog=examples(
            "trainyard plot activations",
            "trainyard plot augment data=cifar10 data.augment=article out=augmented.png",
            "trainyard plot curves outputs/quickstart/... outputs/mlp_shapes/... out=both.png",
            "trainyard plot lr latest",
            "trainyard plot boundary outputs/xor_mlp/...",
            "trainyard plot attention outputs/cifar10_vit/...",
        ),
    )
    figures = parser.add_subparsers(title="figures", metavar="FIGURE", required=True)
    for name, draw, takes, help_text in (
        ("activations", activations, "out=FILE.png", "every activation function with its derivative"),
        ("augment", augment, "[RUN] key=value", "six training images, each unchanged and as augmented in nine epochs"),
        ("curves", curves, "RUN", "train against validation of one or more runs, a panel for each metric"),
        ("lr", lr, "RUN", "the learning rates and the losses of a run over its steps"),
        ("boundary", boundary, "RUN", "the decision boundary of a run on points in the plane (data=xor)"),
        ("attention", attention, "RUN", "what the attention heads of a run attend to in its first validation sample"),
    ):
        figure = figures.add_parser(name, help=help_text)
        more = {
            "RUN": "a run directory, or latest; and out=FILE.png",
            "[RUN] key=value": "a run, or the defaults; changes to its config, out=FILE.png",
        }
        figure.add_argument("words", nargs="*", metavar=takes, help=more.get(takes, "the file, activations.png"))
        figure.set_defaults(run=run, draw=draw, figure=name)


def run(options: argparse.Namespace) -> None:
    """Save the figure, and print the name of its file."""
    out = next((word[4:] for word in options.words if word.startswith("out=")), f"{options.figure}.png")
    options.draw([word for word in options.words if not word.startswith("out=")], out)
    print(out)


def activations(words: list[str], out: str) -> None:
    """Save every activation function, with its derivative."""
    if words:
        raise UserError(f"plot activations takes no argument but out=FILE.png, not {' '.join(words)}")
    from trainyard.figures.activations import curves as panels
    from trainyard.models.layers.activations import ACTIVATIONS, activation

    panels({name: activation(name) for name in ACTIVATIONS}).savefig(out, dpi=120)


def augment(words: list[str], out: str) -> None:
    """Save a row for each of six training images: unchanged, then as augmented in nine epochs."""
    import torch
    from torchvision.utils import save_image

    from trainyard.data.images import Images
    from trainyard.figures.augment import augmented

    data, name = chosen_data(words) if all("=" in word for word in words) else data_of_run(words)
    if not isinstance(data, Images):
        raise UserError(f"{name} has no images to augment; choose an image dataset")
    data.prepare_data()
    data.setup("fit")
    index = torch.arange(min(6, len(data.splits["train"])))
    images = data.splits["train"].inputs[data.splits["train"].rows[index]]
    save_image(augmented(lambda x, epoch: data.augmented(x, index, epoch), images, range(9)), out)


def data_of_run(words: list[str]) -> tuple[Any, str]:
    """The data of a run, and its name in an error."""
    run = load_run(words, "augment")
    with run.explain_errors():
        return run.data(), printable(run.path, 300)


def chosen_data(overrides: list[str]) -> tuple[Any, str]:
    """The data of a config, by default augmented as in the article, and its name in an error."""
    from trainyard.config.compose import compose
    from trainyard.config.instantiate import instantiate
    from trainyard.config.resolve import resolve

    composed = compose(overrides)
    if composed.cfg.data.get("augment") == "none":
        composed = compose([*overrides, "data.augment=article"])
    name = f"data={composed.choices['data']}"
    return instantiate(resolve(composed).data, name), name


def attention(words: list[str], out: str) -> None:
    """Save what the attention heads of a run attend to in its first validation sample."""
    run = load_run(words, "attention")
    from trainyard.explain.attention_figure import attention_figure

    with run.explain_errors():
        task, data = run.task().eval(), run.data()
        data.prepare_data()
        data.setup("fit")
        figure = attention_figure(task, data)
    if figure is None:
        raise UserError(
            f"{printable(run.path, 300)} has no attention that could be drawn: {type(task.net).__name__} on "
            f"{type(data).__name__}; choose a run of vit on images, or of transformer, bert, gpt or hypergraph on texts"
        )
    save_figure(figure, Path(out))


def curves(words: list[str], out: str) -> None:
    """Save the curves of runs, a panel for each metric."""
    from trainyard.figures.learning_curves import learning_curves
    from trainyard.report.curves import over, panels_of, read_series

    folders = find_runs(words, "curves")
    x = over(folders)
    series = {printable(folder, 70): read_series(folder, x) for folder in folders}
    names = panels_of(series.values())
    if not names:
        raise UserError(f"{printable(folders[0], 300)} has logged nothing yet that could be drawn")
    save_figure(learning_curves(series, names, x), Path(out))


def lr(words: list[str], out: str) -> None:
    """Save the learning rates and the losses of a run over its steps."""
    from trainyard.figures.learning_curves import rates
    from trainyard.report.curves import rates_and_losses, read_series

    (folder,) = find_runs(words, "lr", most=1)
    rate, losses = rates_and_losses(read_series(folder, "step"))
    if not rate:
        raise UserError(
            f"{printable(folder, 300)} has no learning rates: they are logged every "
            "trainer.log_every_n_steps steps, by Lightning's LearningRateMonitor"
        )
    save_figure(rates(rate, losses), Path(out))


def boundary(words: list[str], out: str) -> None:
    """Save the decision boundary of a run whose data are points in the plane, of two classes."""
    run = load_run(words, "boundary")
    from trainyard.figures.boundary import boundary as draw

    shape, classes = run.cfg.data.get("shape"), run.cfg.data.get("num_classes")
    if (list(shape or []), classes) != ([2], 2):
        raise UserError(
            f"{run.path} has inputs of shape {list(shape or [])} and {classes} classes; a decision boundary is drawn "
            "of points in the plane, shape [2], of 2 classes (data=xor)"
        )
    with run.explain_errors():
        data: Any = run.data()
        data.prepare_data()
        samples = data.read("train")
        figure = draw(lambda points: run.predict(points)[:, 1], samples.inputs, samples.labels)
    save_figure(figure, Path(out))


def load_run(words: list[str], figure: str) -> "Run":
    """The one run among the words; the others change its config."""
    from trainyard.runs.load import load

    runs, overrides = ([word for word in words if ("=" in word) == flag] for flag in (False, True))
    (folder,) = find_runs(runs, figure, most=1)
    return load(folder, overrides)


def find_runs(words: list[str], figure: str, most: int = 100) -> list[Path]:
    """The run directories of the words; UserError for none, for more than `most`, or for what is no run."""
    from trainyard.runs.find import find_run

    if not 1 <= len(words) <= most:
        raise UserError(f"plot {figure} takes {'one run' if most == 1 else 'runs'}; write trainyard plot {figure} RUN")
    folders = [find_run(word)[0] for word in words]
    for folder in folders:
        if not (folder / "metrics.jsonl").is_file():
            raise UserError(f"{printable(folder, 300)} has no metrics.jsonl: it has logged nothing yet")
    return folders
