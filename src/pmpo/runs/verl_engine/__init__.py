"""`pmpo train --engine verl`: the options of a run as verl's configuration, and the run around verl's main_ppo.

Nothing here imports TRL or verl: the translation is data, and verl runs in a process of its own.
"""
