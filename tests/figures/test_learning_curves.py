import io

from matplotlib.colors import to_rgb

from trainyard.figures.learning_curves import learning_curves, rates

RUN = {"val/loss": ([1, 2], [0.5, 0.4]), "train/loss": ([1, 2], [0.6, 0.3]), "val/accuracy": ([1, 2], [0.7, 0.8])}


def texts(figure) -> list[str]:
    legends = [*figure.legends, *(panel.get_legend() for panel in figure.axes if panel.get_legend())]
    return [text.get_text().strip() for legend in legends for text in legend.get_texts()]


def test_one_run_has_a_panel_for_each_metric_with_both_splits() -> None:
    figure = learning_curves({"": RUN}, ["accuracy", "loss"])
    accuracy, loss = figure.axes
    assert [len(panel.get_lines()) for panel in (accuracy, loss)] == [1, 2]
    validation, training = loss.get_lines()
    assert list(validation.get_ydata()) == [0.5, 0.4] and list(training.get_ydata()) == [0.6, 0.3]
    assert validation.get_color() != training.get_color() and training.get_linestyle() == "--"


def test_each_of_several_runs_has_a_color_and_a_name_also_if_it_lacks_the_first_metric() -> None:
    figure = learning_curves({"a": RUN, "b": {"val/accuracy": ([1], [0.9])}}, ["loss", "accuracy"])
    assert texts(figure) == ["a", "b"]
    assert len({line.get_color() for line in figure.axes[1].get_lines()}) == 2


def test_names_are_no_formulas() -> None:
    names = [r"$\frac{$", "_hidden", "a$b"]
    figure = learning_curves({name: {f"val/{name}": ([1, 2], [1, 2])} for name in names}, names)
    figure.savefig(io.BytesIO(), format="svg")
    assert texts(figure) == [name.replace("$", r"\$") for name in names]


def test_it_is_readable_on_white_and_on_black() -> None:
    """Contrast of text and lines with both (WCAG asks 3 of what is drawn); nothing hides the background."""
    for figure in (
        learning_curves({"": RUN}, ["loss"]),
        rates({"matrices": ([1, 2], [0.1, 0.2])}, {"val/loss": ([1], [2])}),
    ):
        assert figure.patch.get_alpha() == 0
        for panel in figure.axes:
            assert panel.patch.get_alpha() == 0
            colors = [line.get_color() for line in panel.get_lines()] + [panel.title.get_color()]
            for color in colors:
                assert contrast(color, 1.0) > 2.8 and contrast(color, 0.0) > 4, color


def contrast(color, background: float) -> float:
    parts = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(color)]
    light = 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]
    return (max(light, background) + 0.05) / (min(light, background) + 0.05)
