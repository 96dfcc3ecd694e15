# The tokens that θ points to.
rule decode_theta:
    input:
        weights="results/{model}/weights",
        episodes=collect("results/{{model}}/episodes/{family}.jsonl", family=STUDY.main_families),
        theta=collect("results/{{model}}/theta/{family}.safetensors", family=STUDY.main_families),
        choice="results/{model}/layer_choice.csv",
    output:
        tokens=table("decoded_tokens"),
        ranks=table("decoded_ranks"),
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
        runtime=minutes_of("decode_theta", jobs=1),
    params:
        *code_of("decode_theta.py"),
        dtype=of_model("dtype"),
        device=of_model("device"),
        top=STUDY.config["decoding"]["top"],
        labels={task: STUDY.task_labels[task] for task in STUDY.main_tasks},
        seed=STUDY.seed,
    message:
        "{wildcards.model}: decoding θ to tokens"
    script:
        "../scripts/decode_theta.py"
