"""Studies: many runs side by side, each an ordinary run folder, their results in one file."""
