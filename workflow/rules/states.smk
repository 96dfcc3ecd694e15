# States of queries without and with demonstrations: maps are fitted on them, for the ladder and for rivals.
rule paired_states:
    input:
        weights="results/{model}/weights",
        episodes=collect("results/{{model}}/episodes/{family}.jsonl", family=STUDY.families),
        choice="results/{model}/layer_choice.csv",
    output:
        pairs="results/{model}/paired_states.parquet",
    log:
        "results/{model}/logs/paired_states.log",
    benchmark:
        "results/{model}/benchmarks/paired_states.tsv"
    conda:
        "../../envs/inference.yaml"
    threads: MODEL_THREADS
    resources:
        mem_mb=model_memory,
        gpu=model_gpus,
        runtime=minutes_of("paired_states", jobs=1),
    params:
        *code_of("paired_states.py"),
        dtype=of_model("dtype"),
        device=of_model("device"),
        episodes=STUDY.settings_of("ladder").get("dev"),
        drawn_anew=STUDY.drawn_anew,
        seed=STUDY.seed,
    message:
        "{wildcards.model}: states without and with demonstrations"
    script:
        "../scripts/paired_states.py"
