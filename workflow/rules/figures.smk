# Figures of all models together, from tables alone: one rule for each entry of workflow/figures.yaml.
try:
    FIGURES = figures_of(
        "workflow/figures.yaml",
        tables=PUBLIC,
        published=[file.stem for file in Path("data/paper").glob("*.csv")],
        conditions={"limits": bool(LIMITS_TASKS), "pairs": bool(PAIRS), "transfer": TRANSFER},
    )
except StudyError as error:
    raise WorkflowError(str(error))


for figure, entry in FIGURES.items():

    rule:
        name:
            f"figure_{figure}"
        input:
            **{table: of_all_models(table) for table in entry["tables"]},
            **{table: f"data/paper/{table}.csv" for table in entry["published"]},
            library=library("scripts/figure.py", f"scripts/taskvectors/figures/{figure}.py"),
        output:
            report(
                f"reports/figures/{figure}.svg",
                caption="../report/figure.rst",
                category=entry["section"],
                labels={"model": "all", "figure": entry["title"]},
            ),
            multiext(f"reports/figures/{figure}", ".pdf", ".png", ".csv"),
        log:
            f"results/logs/figure_{figure}.log",
        # Seconds each: on a cluster they would wait longer than they take.
        localrule: True
        conda:
            "../../envs/analysis.yaml"
        params:
            figure=figure,
            caption=entry["caption"],
            models=MODEL_LABELS,
            tasks=TASK_LABELS,
        message:
            f"Figure: {entry['title']}"
        script:
            "../scripts/figure.py"
