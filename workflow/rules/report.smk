# The report: conclusions from the tables; a notebook executed on tables and figures, then rendered to one self-contained page.
rule conclusions:
    input:
        **{name: of_all_models(name) for name in STUDY.evidence},
    output:
        conclusions=table("conclusions"),
    log:
        "results/logs/conclusions.log",
    localrule: True
    conda:
        "../../envs/analysis.yaml"
    params:
        *code_of("conclusions.py"),
        tasks=STUDY.task_labels,
    message:
        "Conclusions"
    script:
        "../scripts/conclusions.py"


rule summary:
    input:
        accuracy=of_all_models("accuracy"),
        published=published(["main_results"]),
    output:
        summary=table("summary"),
    log:
        "results/logs/summary.log",
    localrule: True
    conda:
        "../../envs/analysis.yaml"
    params:
        *code_of("summary.py"),
        config={"models": STUDY.models},
    message:
        "Summary: ours and the paper's"
    script:
        "../scripts/summary.py"


PAGE = "workflow/report/page"


rule study_notebook:
    input:
        **{name: of_all_models(name) for name in STUDY.shown_tables},
        published=published(STUDY.published),
        figures=collect("reports/figures/{figure}.svg", figure=STUDY.figures),
        provenance=f"{TABLES}/provenance.json",
        schematic=STUDY.path_of(f"{PAGE}/method.svg"),
        notebook=STUDY.path_of("workflow/notebooks/study.ipynb"),
    output:
        notebook=f"{TABLES}/study.ipynb",
    log:
        "results/logs/study_notebook.log",
    conda:
        "../../envs/report.yaml"
    params:
        *code_of("study_notebook.py", "../notebooks/study.ipynb"),
        tables=STUDY.shown_tables,
        page={
            "config": {key: value for key, value in STUDY.config.items() if key != "compute"},
            "figures": STUDY.figures,
            "shown": STUDY.report_tables,
            "absent": STUDY.absent,
        },
    message:
        "Report: executing the notebook"
    script:
        "../scripts/study_notebook.py"


rule study_page:
    input:
        notebook=f"{TABLES}/study.ipynb",
        template=[STUDY.path_of(f"{PAGE}/{file}") for file in ("index.html.j2", "page.css", "page.js", "conf.json")],
    output:
        page=report(
            "reports/study.html",
            caption="../report/study.rst",
            category="Report",
            labels={"model": "all", "table": "the whole report"},
        ),
    log:
        "results/logs/study_page.log",
    localrule: True
    conda:
        "../../envs/report.yaml"
    params:
        *code_of("study_page.py"),
    message:
        "Report: rendering {output}"
    script:
        "../scripts/study_page.py"


# For a paper.
rule latex_tables:
    input:
        **{name: of_all_models(name) for name in STUDY.latex_sources},
    output:
        collect("reports/tables/{table}.tex", table=STUDY.latex_tables),
    log:
        "results/logs/latex_tables.log",
    localrule: True
    conda:
        "../../envs/report.yaml"
    params:
        *code_of("latex_tables.py"),
        captions={name: entry["caption"] for name, entry in STUDY.latex_tables.items()},
        config={"models": STUDY.models, "tasks": STUDY.tasks},
    message:
        "Tables in LaTeX"
    script:
        "../scripts/latex_tables.py"
