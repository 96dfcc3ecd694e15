# How θ forms: after every demonstration, and over demonstrations and dummy queries.
rule form_theta:
    input:
        weights="results/{model}/weights",
        episodes=collect("results/{{model}}/episodes/{family}.jsonl", family=STUDY.families),
        theta=collect("results/{{model}}/theta/{family}.safetensors", family=STUDY.families),
        choice="results/{model}/layer_choice.csv",
    output:
        predictions="results/{model}/predictions/form_theta.parquet",
    log:
        "results/{model}/logs/form_theta.log",
    benchmark:
        "results/{model}/benchmarks/form_theta.tsv"
    conda:
        "../../envs/inference.yaml"
    threads: MODEL_THREADS
    resources:
        mem_mb=model_memory,
        gpu=model_gpus,
        runtime=minutes_of("form_theta", jobs=1),
    params:
        *code_of("form_theta.py"),
        dtype=of_model("dtype"),
        device=of_model("device"),
        prefix_scored=STUDY.scored_by_prefix(STUDY.tasks),
        answer_tokens=STUDY.answer_tokens_of(STUDY.tasks),
        forming=STUDY.config["formation"]["episodes"],
        seed=STUDY.seed,
    message:
        "{wildcards.model}: θ after every demonstration"
    script:
        "../scripts/form_theta.py"


rule formation_tables:
    input:
        predictions="results/{model}/predictions/form_theta.parquet",
        theta=collect("results/{{model}}/theta/{family}.safetensors", family=STUDY.families),
        choice="results/{model}/layer_choice.csv",
    output:
        formation=table("formation"),
        variance=table("theta_variance"),
    log:
        "results/{model}/logs/formation_tables.log",
    conda:
        "../../envs/analysis.yaml"
    params:
        *code_of("formation_tables.py"),
        kinds=STUDY.kinds,
        seed=STUDY.seed,
        dummies=STUDY.config["episodes"]["dummies"],
    message:
        "{wildcards.model}: how θ forms"
    script:
        "../scripts/formation_tables.py"
