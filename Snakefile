# In-context learning creates task vectors: the study. README.md says how to run it; workflow/Snakefile holds the
# rules.
include: "workflow/Snakefile"


rule study:
    default_target: True
    input:
        rules.all.input,
