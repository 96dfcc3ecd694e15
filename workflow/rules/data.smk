# Episodes: the tasks as one tokenizer sees them, sampled once and replayed by every stage.


# Only where the configuration asks for them (config/paper.yaml).
rule paper_items:
    output:
        table="results/items/{task}.csv",
    log:
        "results/logs/paper_items.{task}.log",
    localrule: True
    conda:
        "../../envs/inference.yaml"
    params:
        *code_of("paper_items.py"),
        base_url=STUDY.items.get("base_url"),
        entry=lambda wildcards: STUDY.items["files"].get(wildcards.task),
    message:
        "The paper's items: {wildcards.task}"
    script:
        "../scripts/paper_items.py"


rule episodes:
    input:
        weights="results/{model}/weights",
        tables=lambda wildcards: beside(STUDY.task_tables(family_tasks(wildcards))),
        given=lambda wildcards: beside(STUDY.given_episodes(wildcards.family)),
    output:
        episodes="results/{model}/episodes/{family}.jsonl",
        filtered="results/{model}/filter/{family}.csv",
    log:
        "results/{model}/logs/episodes.{family}.log",
    benchmark:
        "results/{model}/benchmarks/episodes.{family}.tsv"
    conda:
        "../../envs/inference.yaml"
    params:
        *code_of("episodes.py"),
        tasks=family_tasks,
        settings=STUDY.config["episodes"],
        seeds=STUDY.config["study"]["seeds"],
        answer_tokens=STUDY.answer_tokens,
    message:
        "{wildcards.model}: episodes of the {wildcards.family} tasks"
    script:
        "../scripts/episodes.py"


rule filter_table:
    input:
        families=collect("results/{{model}}/filter/{family}.csv", family=STUDY.families),
    output:
        table=table("filter"),
    log:
        "results/{model}/logs/filter_table.log",
    localrule: True
    conda:
        "../../envs/analysis.yaml"
    params:
        *code_of("filter_table.py"),
    message:
        "{wildcards.model}: what the filter of answer lengths kept"
    script:
        "../scripts/filter_table.py"
