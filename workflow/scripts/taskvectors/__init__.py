"""Reading and patching task vectors: the study's library.

Data walks through it one way: tasks, episodes, engine, tables, figures. Nothing here knows of Snakemake.
"""
