# The main experiment as tables.
rule accuracy:
    input:
        predictions=collect(
            "results/{{model}}/predictions/{stage}.{family}.parquet",
            stage=["extract_theta", "sweep_layers", "constant_answers", "patch_variants"],
            family=STUDY.families,
        ),
        divergences=collect("results/{{model}}/divergences/{family}.parquet", family=STUDY.families),
        choice="results/{model}/layer_choice.csv",
    output:
        **{
            name: table(name)
            for name in (
                "accuracy",
                "controls",
                "differences",
                "views",
                "limits",
                "seeds",
                "seed_spread",
                "divergence",
            )
        },
        predictions="results/{model}/predictions.parquet",
    log:
        "results/{model}/logs/accuracy.log",
    conda:
        "../../envs/analysis.yaml"
    params:
        *code_of("accuracy.py"),
        kinds=STUDY.kinds,
        seed=STUDY.seed,
        bijections=STUDY.bijections,
    message:
        "{wildcards.model}: accuracy on test episodes"
    script:
        "../scripts/accuracy.py"
