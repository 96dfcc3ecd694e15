# Is θ necessary, where demonstrations are there?
rule necessity:
    input:
        weights="results/{model}/weights",
        episodes=collect("results/{{model}}/episodes/{family}.jsonl", family=STUDY.main_families),
        theta=collect("results/{{model}}/theta/{family}.safetensors", family=STUDY.main_families),
        choice="results/{model}/layer_choice.csv",
    output:
        observations="results/{model}/predictions/necessity.parquet",
    log:
        "results/{model}/logs/necessity.log",
    benchmark:
        "results/{model}/benchmarks/necessity.tsv"
    conda:
        "../../envs/inference.yaml"
    threads: MODEL_THREADS
    resources:
        mem_mb=model_memory,
        gpu=model_gpus,
        runtime=minutes_of("necessity", jobs=1),
    params:
        *code_of("necessity.py"),
        dtype=of_model("dtype"),
        device=of_model("device"),
        prefix_scored=STUDY.scored_by_prefix(STUDY.main_tasks),
        settings=STUDY.settings_of("necessity"),
        answer_tokens=STUDY.answer_tokens,
        seed=STUDY.seed,
    message:
        "{wildcards.model}: demonstrations without θ at the arrow"
    script:
        "../scripts/necessity.py"


rule necessity_tables:
    input:
        observations="results/{model}/predictions/necessity.parquet",
        choice="results/{model}/layer_choice.csv",
    output:
        necessity=table("necessity"),
    log:
        "results/{model}/logs/necessity_tables.log",
    conda:
        "../../envs/analysis.yaml"
    params:
        *code_of("necessity_tables.py"),
        kinds=STUDY.kinds,
        seed=STUDY.seed,
    message:
        "{wildcards.model}: what is left of the demonstrations without θ"
    script:
        "../scripts/necessity_tables.py"
