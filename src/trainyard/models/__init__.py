"""Networks: one architecture per file, in plain torch; tensors in, logits out. Their common parts are in layers/.

"The article" is the guide that README.md names.
"""
