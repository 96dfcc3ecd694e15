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
    message:
        "{wildcards.model}: tasks that one vector may not hold"
    script:
        "../scripts/limits_table.py"
