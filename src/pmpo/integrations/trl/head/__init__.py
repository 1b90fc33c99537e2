"""The language-model head that gives log-probabilities without logits of the whole micro-batch.

products     matrix products of 16-bit or float32 numbers whose result is float32, one function a precision
tiles        a tile of logits, folded into log-sum-exp and entropy, or turned into its gradient
log_probs    the two together, forward and backward, tile by tile
install      `logits_precision`: its values, the rule of its default, and how a trainer's models get the head
"""
