# Figures of all models together, from tables alone: one rule for each entry under `figures` of a question.
for figure, entry in STUDY.questions.figures.items():

    rule:
        name:
            f"figure_{figure}"
        input:
            **{name: of_all_models(name) for name in entry["tables"]},
            **dict(zip(entry["published"], published(entry["published"]))),
        output:
            report(
                f"reports/figures/{figure}.svg",
                caption="../report/figure.rst",
                category=STUDY.questions.sections[figure],
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
            *code_of("figure.py", STUDY.questions.drawings[figure], "taskvectors/drawing/study.mplstyle"),
            drawing=STUDY.questions.drawings[figure],
            caption=entry["caption"],
            models=STUDY.model_labels,
            tasks=STUDY.task_labels,
        message:
            f"Figure: {entry['title']}"
        script:
            "../scripts/figure.py"
