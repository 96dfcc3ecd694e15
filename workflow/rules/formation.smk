# How θ forms: after every demonstration, and over demonstrations and dummy queries.
rule formation_tables:
    input:
        predictions=collect("results/{{model}}/predictions/patch_variants.{family}.parquet", family=STUDY.families),
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
