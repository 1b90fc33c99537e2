"""A tiny task in verl's signature: the share of the completion's characters that are digits above 4."""


def compute_score(data_source, solution_str, ground_truth, extra_info=None):
    text = solution_str.replace(" ", "")  # which decoders of a tokenizer without one of its own put in, or not
    return sum(c in "56789" for c in text) / max(1, len(text))
