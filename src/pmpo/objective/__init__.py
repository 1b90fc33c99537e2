"""The objective family as mathematics: torch only; knows no trainer, no tokenizer, no file."""
