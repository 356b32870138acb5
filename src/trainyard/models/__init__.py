"""Networks: one architecture per file, plain torch, tensors in and logits out."""
