"""metrics.jsonl and the table made from it."""
