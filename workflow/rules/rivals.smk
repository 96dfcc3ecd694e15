# Alternatives to θ, and which attention heads carry the task.
rule measure_heads:
    input:
        weights="results/{model}/weights",
        episodes=collect("results/{{model}}/episodes/{family}.jsonl", family=STUDY.main_families),
    output:
        effects="results/{model}/heads/effects.parquet",
        outputs="results/{model}/heads/outputs.parquet",
        ablated="results/{model}/predictions/ablated_heads.parquet",
    log:
        "results/{model}/logs/measure_heads.log",
    benchmark:
        "results/{model}/benchmarks/measure_heads.tsv"
    conda:
        "../../envs/inference.yaml"
    threads: MODEL_THREADS
    resources:
        mem_mb=model_memory,
        gpu=model_gpus,
        runtime=minutes_of("measure_heads", jobs=1),
    params:
        *code_of("measure_heads.py"),
        dtype=of_model("dtype"),
        device=of_model("device"),
        prefix_scored=STUDY.scored_by_prefix(STUDY.main_tasks),
        settings={key: value for key, value in STUDY.settings_of("rivals").items() if key in ("trials", "ablated")},
        answer_tokens=STUDY.answer_tokens,
        seed=STUDY.seed,
    message:
        "{wildcards.model}: effects of attention heads"
    script:
        "../scripts/measure_heads.py"


rule rivals:
    input:
        weights="results/{model}/weights",
        episodes=collect("results/{{model}}/episodes/{family}.jsonl", family=STUDY.main_families),
        theta=collect("results/{{model}}/theta/{family}.safetensors", family=STUDY.main_families),
        choice="results/{model}/layer_choice.csv",
        effects="results/{model}/heads/effects.parquet",
        outputs="results/{model}/heads/outputs.parquet",
        pairs="results/{model}/paired_states.parquet",
    output:
        predictions="results/{model}/predictions/rivals.parquet",
        doses="results/{model}/predictions/doses.parquet",
    log:
        "results/{model}/logs/rivals.log",
    benchmark:
        "results/{model}/benchmarks/rivals.tsv"
    conda:
        "../../envs/inference.yaml"
    threads: MODEL_THREADS
    resources:
        mem_mb=model_memory,
        gpu=model_gpus,
        runtime=minutes_of("rivals", jobs=1),
    params:
        *code_of("rivals.py", *STUDY.representations.values()),
        dtype=of_model("dtype"),
        device=of_model("device"),
        prefix_scored=STUDY.scored_by_prefix(STUDY.main_tasks),
        settings=STUDY.settings_of("rivals"),
        representations=STUDY.representations,
        answer_tokens=STUDY.answer_tokens,
        seed=STUDY.seed,
    message:
        "{wildcards.model}: rivals of θ"
    script:
        "../scripts/rivals.py"


rule rivals_tables:
    input:
        predictions="results/{model}/predictions/rivals.parquet",
        choice="results/{model}/layer_choice.csv",
        doses="results/{model}/predictions/doses.parquet",
        effects="results/{model}/heads/effects.parquet",
        ablated="results/{model}/predictions/ablated_heads.parquet",
    output:
        rivals=table("rivals"),
        heads=table("heads"),
        doses=table("doses"),
        ablation=table("ablation"),
    log:
        "results/{model}/logs/rivals_tables.log",
    conda:
        "../../envs/analysis.yaml"
    params:
        *code_of("rivals_tables.py"),
        kinds=STUDY.kinds,
        seed=STUDY.seed,
    message:
        "{wildcards.model}: rivals of θ, side by side"
    script:
        "../scripts/rivals_tables.py"
