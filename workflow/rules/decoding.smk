# The tokens that θ points to.
rule decode_theta:
    input:
        weights="results/{model}/weights",
        episodes=collect("results/{{model}}/episodes/{family}.jsonl", family=MAIN_FAMILIES),
        theta=collect("results/{{model}}/theta/{family}.safetensors", family=MAIN_FAMILIES),
        choice="results/{model}/layer_choice.csv",
        library=library("scripts/decode_theta.py"),
    output:
        tokens=report(
            "results/{model}/decoded_tokens.csv",
            caption="../report/decoded_tokens.rst",
            category="Decoding",
            labels={"model": "{model}", "table": "top tokens of θ"},
        ),
        ranks=report(
            "results/{model}/decoded_ranks.csv",
            caption="../report/decoded_ranks.rst",
            category="Decoding",
            labels={"model": "{model}", "table": "ranks of answers and names"},
        ),
    log:
        "results/{model}/logs/decode_theta.log",
    benchmark:
        "results/{model}/benchmarks/decode_theta.tsv"
    conda:
        "../../envs/inference.yaml"
    threads: MODEL_THREADS
    resources:
        mem_mb=model_memory,
        gpu=model_gpus,
        runtime=minutes_of("decode_theta"),
    params:
        dtype=lookup(dpath="models/{model}/dtype", within=config),
        device=lookup(dpath="models/{model}/device", within=config),
        top=lookup(dpath="decoding/top", within=config),
        labels={task: TASK_LABELS[task] for task in MAIN_TASKS},
    message:
        "{wildcards.model}: decoding θ to tokens"
    script:
        "../scripts/decode_theta.py"
