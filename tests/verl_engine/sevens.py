"""A tiny task in verl's signature: the share of the completion's characters that are sevens."""


def compute_score(data_source, solution_str, ground_truth, extra_info=None):
    return solution_str.count(ground_truth) / max(1, len(solution_str))
