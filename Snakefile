# In-context learning creates task vectors: the study. README.md says how to run it.
include: "workflow/Snakefile"
