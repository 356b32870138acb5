import json
from pathlib import Path

from trainyard.loggers.metrics_lines import TAIL, last_score


def test_the_last_score_is_found_at_the_end_of_a_long_file(tmp_path: Path) -> None:
    assert last_score(tmp_path, "val/loss") is None  # there is no file yet
    rows = [{"epoch": i, "val/loss": i / 8} if i % 2 else {"epoch": i, "train/loss": 9.0} for i in range(8000)]
    text = "".join(json.dumps(row) + "\n" for row in rows)
    assert len(text) > 2 * TAIL
    (tmp_path / "metrics.jsonl").write_text(text + '{"epoch": 8001, "val/lo')
    assert last_score(tmp_path, "val/loss") == (7999, 7999 / 8)
    assert last_score(tmp_path, "val/accuracy") is None
