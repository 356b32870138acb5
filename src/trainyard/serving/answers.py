"""What the server answers: predictions, explanations and refusals as JSON."""

import base64
import io
from typing import TYPE_CHECKING, Any

from aiohttp import web
from torch import Tensor

from trainyard.inference.formats import Labels, ranked
from trainyard.inference.preprocessing import Words
from trainyard.serving.limits import RefusedError

if TYPE_CHECKING:
    from trainyard.explain.explanation import Explanation

DPI = 110


def prediction(output: Tensor, labels: Labels, top: int, words: Words | None) -> dict[str, Any]:
    """What the network says about one input, with the keys of `trainyard predict --format json`."""
    if labels is None:
        found: dict[str, Any] = {"value": output.tolist()}
    else:
        best = ranked(output, labels, top)
        found = {
            "label": best[0][0],
            "probability": best[0][1],
            "top": [{"label": label, "probability": probability} for label, probability in best],
        }
    if words:
        found |= {"words": words.count, "unknown_words": words.unknown, "truncated": words.is_truncated}
    return found


def explained(explanation: "Explanation") -> dict[str, Any]:
    """An explanation: of an image a picture, of a text the words with values and colors, of numbers their values."""
    found: dict[str, Any] = {
        "method": explanation.method,
        "label": explanation.prediction,
        "target": explanation.target,
        "meaning": meaning(explanation),
        "notes": list(explanation.notes),
    }
    flat = explanation.values.flatten().tolist()
    if explanation.words and explanation.values.ndim == 1:
        from trainyard.figures.colors import word_colors

        colors = word_colors(explanation.values, explanation.signed)
        found["words"] = [
            {"word": word, "value": value, "background": back, "color": front}
            for word, value, (back, front) in zip(explanation.words, flat, colors, strict=True)
        ]
    elif explanation.numbers is not None:
        numbers = explanation.numbers.flatten().tolist()
        found["numbers"] = [{"number": number, "value": value} for number, value in zip(numbers, flat, strict=True)]
    elif (figure := explanation.figure()) is not None:
        content = io.BytesIO()
        figure.savefig(content, dpi=DPI, format="png")
        found["picture"] = f"data:image/png;base64,{base64.b64encode(content.getvalue()).decode()}"
    return found


def meaning(explanation: "Explanation") -> str:
    """What the colors or values are, in a sentence."""
    target, method = explanation.target, explanation.method.replace("gradcam", "Grad-CAM").replace("_", " ")
    if explanation.method == "heads":
        return "The attention weights of each head."
    if explanation.method == "hyperedges":
        return "The longer its bar, the more a hyperedge counts, and in it a word that is darker, by attention."
    if explanation.numbers is not None and not explanation.words:
        return f"How much each number speaks for {target}, by {method}."
    if explanation.signed:
        return f"Red speaks for {target}, blue against it, by {method}."
    what = "darker a word" if explanation.words else "brighter a place"
    return f"The {what}, the more it counts for {target}, by {method}."


def refusal(error: RefusedError) -> web.Response:
    """A refusal as JSON: one sentence."""
    response = web.json_response({"error": str(error)}, status=error.status)
    if error.status == 503:
        response.headers["Retry-After"] = "1"
    return response
