"""Networks: one architecture per file, in plain torch; tensors in, logits out. Their common parts are in layers/."""
