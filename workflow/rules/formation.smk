# How θ forms: after every demonstration, and over demonstrations and dummy queries.
rule formation:
    input:
        predictions=collect("results/{{model}}/predictions/patch_variants.{family}.parquet", family=FAMILIES),
        theta=collect("results/{{model}}/theta/{family}.safetensors", family=FAMILIES),
        choice="results/{model}/layer_choice.csv",
        library=library("scripts/formation.py"),
    output:
        formation=report(
            "results/{model}/formation.csv",
            caption="../report/formation.rst",
            category="Formation",
            labels={"model": "{model}", "table": "θ after k demonstrations"},
        ),
        variance=report(
            "results/{model}/theta_variance.csv",
            caption="../report/theta_variance.rst",
            category="Formation",
            labels={"model": "{model}", "table": "variance of θ"},
        ),
    log:
        "results/{model}/logs/formation.log",
    conda:
        "../../envs/analysis.yaml"
    params:
        seed=SEED,
        dummies=lookup(dpath="episodes/dummies", within=config),
    message:
        "{wildcards.model}: how θ forms"
    script:
        "../scripts/formation.py"
