# In-context learning creates task vectors: the study. README.md says how to run it.
from snakemake.utils import min_version

min_version("9.27")


configfile: "config/config.yaml"
configfile: "config/models.yaml"
configfile: "config/tasks.yaml"


report: "workflow/report/workflow.rst"


include: "workflow/rules/common.smk"
include: "workflow/rules/models.smk"
include: "workflow/rules/data.smk"
include: "workflow/rules/extraction.smk"
include: "workflow/rules/layers.smk"
include: "workflow/rules/formation.smk"
include: "workflow/rules/conflict.smk"
include: "workflow/rules/geometry.smk"
include: "workflow/rules/decoding.smk"
include: "workflow/rules/figures.smk"
include: "workflow/rules/report.smk"
include: "workflow/rules/archive.smk"


rule all:
    default_target: True
    input:
        "reports/study.html",
        rules.latex_tables.output,
        collect("results/{model}/predictions.parquet", model=[] if ARCHIVE else MODELS),
