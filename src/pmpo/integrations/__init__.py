"""Adapters that put the objective family into trainers people already run. Each loads its host lazily."""
