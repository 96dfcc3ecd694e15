# What might do as well as θ, or better: other vectors in its place, and answers that need no model.
rule constant_answers:
    input:
        episodes="results/{model}/episodes/{family}.jsonl",
    output:
        predictions="results/{model}/predictions/constant_answers.{family}.parquet",
    log:
        "results/{model}/logs/constant_answers.{family}.log",
    localrule: True
    conda:
        "../../envs/analysis.yaml"
    params:
        *code_of("constant_answers.py"),
        prefix_scored=prefix_by_task,
        seed=STUDY.seed,
    message:
        "{wildcards.model}: constant answers, {wildcards.family} tasks"
    script:
        "../scripts/constant_answers.py"


rule patch_variants:
    input:
        weights="results/{model}/weights",
        episodes="results/{model}/episodes/{family}.jsonl",
        theta="results/{model}/theta/{family}.safetensors",
        choice="results/{model}/layer_choice.csv",
    output:
        predictions="results/{model}/predictions/patch_variants.{family}.parquet",
        divergences="results/{model}/predictions/divergences.{family}.parquet",
    log:
        "results/{model}/logs/patch_variants.{family}.log",
    benchmark:
        "results/{model}/benchmarks/patch_variants.{family}.tsv"
    conda:
        "../../envs/inference.yaml"
    threads: MODEL_THREADS
    resources:
        mem_mb=model_memory,
        gpu=model_gpus,
        runtime=minutes_of("patch_variants"),
    params:
        *code_of("patch_variants.py"),
        dtype=of_model("dtype"),
        device=of_model("device"),
        prefix_scored=prefix_by_task,
        answer_tokens=answer_tokens_of_family,
        seed=STUDY.seed,
    message:
        "{wildcards.model}: other vectors in place of θ, {wildcards.family} tasks"
    script:
        "../scripts/patch_variants.py"


rule controls_tables:
    input:
        chosen="results/{model}/layers/chosen.parquet",
        divergences=collect("results/{{model}}/predictions/divergences.{family}.parquet", family=STUDY.families),
    output:
        controls=table("controls"),
        divergence=table("divergence"),
    log:
        "results/{model}/logs/controls_tables.log",
    conda:
        "../../envs/analysis.yaml"
    params:
        *code_of("controls_tables.py"),
        kinds=STUDY.kinds,
        seed=STUDY.seed,
    message:
        "{wildcards.model}: controls beside θ"
    script:
        "../scripts/controls_tables.py"
