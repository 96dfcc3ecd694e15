# Tasks that one vector may not hold.
rule limits_table:
    input:
        chosen="results/{model}/layers/chosen.parquet",
    output:
        limits=table("limits"),
    log:
        "results/{model}/logs/limits_table.log",
    conda:
        "../../envs/analysis.yaml"
    params:
        *code_of("limits_table.py"),
        bijections=STUDY.bijections,
        long=STUDY.long_answers,
    message:
        "{wildcards.model}: tasks that one vector may not hold"
    script:
        "../scripts/limits_table.py"


# One θ per arrow, and θ at two layers.
rule several_vectors:
    input:
        weights="results/{model}/weights",
        episodes=collect("results/{{model}}/episodes/{family}.jsonl", family=STUDY.families_of_limits),
        choice="results/{model}/layer_choice.csv",
    output:
        observations="results/{model}/predictions/several_vectors.parquet",
    log:
        "results/{model}/logs/several_vectors.log",
    benchmark:
        "results/{model}/benchmarks/several_vectors.tsv"
    conda:
        "../../envs/inference.yaml"
    threads: MODEL_THREADS
    resources:
        mem_mb=model_memory,
        gpu=model_gpus,
        runtime=minutes_of("several_vectors", jobs=1),
    params:
        *code_of("several_vectors.py"),
        dtype=of_model("dtype"),
        device=of_model("device"),
        prefix_scored=STUDY.scored_by_prefix(STUDY.limits),
        answer_tokens=STUDY.answer_tokens_of(STUDY.limits),
        settings=STUDY.settings_of("limits"),
        seed=STUDY.seed,
    message:
        "{wildcards.model}: several vectors in the demonstrations' place"
    script:
        "../scripts/several_vectors.py"


rule several_table:
    input:
        observations="results/{model}/predictions/several_vectors.parquet",
        regular=collect("results/{{model}}/predictions/extract_theta.{family}.parquet", family=STUDY.families_of_limits),
        choice="results/{model}/layer_choice.csv",
    output:
        several=table("several"),
    log:
        "results/{model}/logs/several_table.log",
    conda:
        "../../envs/analysis.yaml"
    params:
        *code_of("several_table.py"),
        kinds=STUDY.kinds,
        seed=STUDY.seed,
    message:
        "{wildcards.model}: several vectors, by task"
    script:
        "../scripts/several_table.py"
