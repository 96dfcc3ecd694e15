# θ: the residual stream at the last token, after every block, averaged over dummy queries.
rule extract_theta:
    input:
        weights="results/{model}/weights",
        episodes="results/{model}/episodes/{family}.jsonl",
        library=library("scripts/extract_theta.py"),
    output:
        theta="results/{model}/theta/{family}.safetensors",
        predictions="results/{model}/predictions/extract_theta.{family}.parquet",
    log:
        "results/{model}/logs/extract_theta.{family}.log",
    benchmark:
        "results/{model}/benchmarks/extract_theta.{family}.tsv"
    conda:
        "../../envs/inference.yaml"
    threads: MODEL_THREADS
    resources:
        mem_mb=model_memory,
        gpu=model_gpus,
        runtime=minutes_of("extract_theta"),
    params:
        dtype=lookup(dpath="models/{model}/dtype", within=config),
        device=lookup(dpath="models/{model}/device", within=config),
        prefix=prefix_by_task,
        answer_tokens=lookup(dpath="scoring/answer_tokens", within=config),
    message:
        "{wildcards.model}: θ of the {wildcards.family} tasks"
    script:
        "../scripts/extract_theta.py"
