# How much of the query must be seen: from one vector to a linear map.
rule ladder:
    input:
        weights="results/{model}/weights",
        episodes=collect("results/{{model}}/episodes/{family}.jsonl", family=STUDY.families),
        theta=collect("results/{{model}}/theta/{family}.safetensors", family=STUDY.families),
        choice="results/{model}/layer_choice.csv",
        pairs="results/{model}/paired_states.parquet",
    output:
        observations="results/{model}/predictions/ladder.parquet",
    log:
        "results/{model}/logs/ladder.log",
    benchmark:
        "results/{model}/benchmarks/ladder.tsv"
    conda:
        "../../envs/inference.yaml"
    threads: MODEL_THREADS
    resources:
        mem_mb=model_memory,
        gpu=model_gpus,
        runtime=minutes_of("ladder", jobs=1),
    params:
        *code_of("ladder.py"),
        dtype=of_model("dtype"),
        device=of_model("device"),
        prefix_scored=STUDY.scored_by_prefix(STUDY.tasks),
        main=STUDY.main_tasks,
        drawn_anew=STUDY.drawn_anew,
        settings=STUDY.settings_of("ladder"),
        answer_tokens=STUDY.answer_tokens_of(STUDY.tasks),
        seed=STUDY.seed,
    message:
        "{wildcards.model}: from one vector to a map"
    script:
        "../scripts/ladder.py"


rule ladder_tables:
    input:
        observations="results/{model}/predictions/ladder.parquet",
        regular=collect("results/{{model}}/predictions/extract_theta.{family}.parquet", family=STUDY.families),
        choice="results/{model}/layer_choice.csv",
    output:
        ladder=table("ladder"),
        ranks=table("ranks"),
    log:
        "results/{model}/logs/ladder_tables.log",
    conda:
        "../../envs/analysis.yaml"
    params:
        *code_of("ladder_tables.py"),
        kinds=STUDY.kinds,
        seed=STUDY.seed,
    message:
        "{wildcards.model}: the rank of a map that tasks need"
    script:
        "../scripts/ladder_tables.py"
