# Episodes: the tasks as one tokenizer sees them, sampled once and replayed by every stage.
localrules:
    paper_items,
    filter_table,


# Only where the configuration asks for them (config/paper.yaml).
rule paper_items:
    input:
        library=library("scripts/paper_items.py"),
    output:
        table="results/items/{task}.csv",
    log:
        "results/logs/paper_items.{task}.log",
    conda:
        "../../envs/inference.yaml"
    params:
        base_url=lookup(dpath="items/base_url", within=config, default=None),
        entry=lookup(dpath="items/files/{task}", within=config, default=None),
    message:
        "The paper's items: {wildcards.task}"
    script:
        "../scripts/paper_items.py"


rule episodes:
    input:
        weights="results/{model}/weights",
        tables=family_tables,
        given=given_episodes,
        library=library("scripts/episodes.py"),
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
        tasks=family_tasks,
        sizes=lookup(dpath="episodes", within=config),
        seeds=lookup(dpath="study/seeds", within=config),
        answer_tokens=lookup(dpath="scoring/answer_tokens", within=config),
        prefix=prefix_by_task,
    message:
        "{wildcards.model}: episodes of the {wildcards.family} tasks"
    script:
        "../scripts/episodes.py"


rule filter_table:
    input:
        families=collect("results/{{model}}/filter/{family}.csv", family=FAMILIES),
        library=library("scripts/filter_table.py"),
    output:
        table=report(
            "results/{model}/filter.csv",
            caption="../report/filter.rst",
            category="Data",
            labels={"model": "{model}", "table": "answers short enough"},
        ),
    log:
        "results/{model}/logs/filter_table.log",
    conda:
        "../../envs/analysis.yaml"
    message:
        "{wildcards.model}: what the filter of answer lengths kept"
    script:
        "../scripts/filter_table.py"
