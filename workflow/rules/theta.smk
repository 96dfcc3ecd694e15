# θ: the residual stream at the last token, after every block, averaged over dummy queries.
rule extract_theta:
    input:
        weights="results/{model}/weights",
        episodes="results/{model}/episodes/{family}.jsonl",
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
        *code_of("extract_theta.py"),
        dtype=of_model("dtype"),
        device=of_model("device"),
        prefix=prefix_by_task,
        answer_tokens=STUDY.answer_tokens,
    message:
        "{wildcards.model}: θ of the {wildcards.family} tasks"
    script:
        "../scripts/extract_theta.py"
