"""What a server takes before it refuses, and how it refuses."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """How much, and how long. Sizes are in bytes, times in seconds."""

    batch: int = 32  # inputs that the network computes at once
    delay: float = 0.002  # that the first input of a batch waits for others
    waiting: int = 256  # inputs that wait for the network
    inputs: int = 64  # of one request
    upload: int = 16 << 20  # of an image, or of a form with several
    json: int = 1 << 20
    held: int = 256 << 20  # of all requests that are being read or answered
    pixels: int = 1 << 25  # of an image: 34 million; of all images of a request twice as many
    characters: int = 50_000  # of a text
    connections: int = 512
    explanations: int = 4  # that are made or wait
    head_time: float = 20  # until a request's head is there, and that an idle connection is kept
    body_time: float = 20  # until its body is there
    answer_time: float = 60  # until it is answered
    send_time: float = 20  # until the client has read the answer
    stop_time: float = 10  # for what is being answered when the server is stopped


DEFAULT = Limits()


class RefusedError(Exception):
    """A request that is not answered as asked: an HTTP status and a sentence for the client."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


def busy(reason: str) -> RefusedError:
    """The refusal of a request that may be sent again."""
    return RefusedError(503, f"the server is busy: {reason}; try again in a second")
