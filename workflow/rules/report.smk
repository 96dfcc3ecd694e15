# The report: conclusions from the tables; a notebook of the pages of all questions, executed, then rendered to one
# page.
rule conclusions:
    input:
        **{name: of_all_models(name) for name in STUDY.questions.evidence},
    output:
        conclusions=table("conclusions"),
    log:
        "results/logs/conclusions.log",
    localrule: True
    conda:
        "../../envs/analysis.yaml"
    params:
        *code_of("conclusions.py", *STUDY.questions.claims.values()),
        tasks=STUDY.task_labels,
        modules={question: imported(file) for question, file in STUDY.questions.claims.items()},
    message:
        "Conclusions"
    script:
        "../scripts/conclusions.py"


PAGE = "workflow/report/page"


rule study_notebook:
    input:
        **{name: of_all_models(name) for name in STUDY.questions.shown_tables},
        published=published(STUDY.published),
        figures=collect("reports/figures/{figure}.svg", figure=STUDY.questions.figures),
        provenance=f"{TABLES}/provenance.json",
        schematic=own(f"{PAGE}/method.svg"),
        pages=[own(page) for page in STUDY.questions.pages.values()],
    output:
        notebook=f"{TABLES}/study.ipynb",
    log:
        "results/logs/study_notebook.log",
    conda:
        "../../envs/report.yaml"
    params:
        *code_of("study_notebook.py", "taskvectors/report/page.py", *STUDY.questions.page_modules.values()),
        tables=STUDY.questions.shown_tables,
        sections=[{**section, "page": STUDY.path_of(section["page"])} for section in STUDY.questions.page_sections],
        page={
            "config": {key: value for key, value in STUDY.config.items() if key != "compute"},
            "figures": STUDY.questions.figures,
            "shown": STUDY.questions.report_tables,
            "absent": STUDY.questions.absent,
            "written": STUDY.questions.all_tables,
            "sections": {question.name: question.section for question in STUDY.questions},
            "links": {name: of_all_models(name) for name in STUDY.questions.shown_tables},
        },
    message:
        "Report: executing the notebook"
    script:
        "../scripts/study_notebook.py"


rule study_page:
    input:
        notebook=f"{TABLES}/study.ipynb",
        template=[own(f"{PAGE}/{file}") for file in ("index.html.j2", "page.css", "page.js", "conf.json")],
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
        **{name: of_all_models(name) for name in STUDY.questions.latex_sources},
    output:
        collect("reports/tables/{table}.tex", table=STUDY.questions.latex_tables),
    log:
        "results/logs/latex_tables.log",
    localrule: True
    conda:
        "../../envs/report.yaml"
    params:
        *code_of("latex_tables.py", *STUDY.questions.latex_modules),
        tables=STUDY.questions.latex_tables,
        config={"models": STUDY.models, "tasks": STUDY.tasks},
    message:
        "Tables in LaTeX"
    script:
        "../scripts/latex_tables.py"
