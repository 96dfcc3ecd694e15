# A finished study in one file, what it came from, and a study beside an archived one.
# What the numbers follow from: the code of the rules that make tables, and what of settings and data stands in the repository.
MAKE_TABLES = [
    "weights",
    "episodes",
    "conflict_episodes",
    "extract_theta",
    "sweep_layers",
    "patch_variants",
    "sweep_conflict",
]
MAKE_TABLES += [
    "filter_table",
    "choose_layer",
    "accuracy",
    "formation",
    "conflict",
    "geometry",
    "embed_theta",
    "decode_theta",
]
MAKE_TABLES += ["conclusions"]
SCRIPTS = [f"workflow/scripts/{name}.py" for name in MAKE_TABLES]
SOURCES = sorted(
    {
        *SCRIPTS,
        *(file for name in MAKE_TABLES for file in library(f"scripts/{name}.py")),
        *(file for file in tables(TASKS) if Path(file).is_relative_to("data")),
        *("config/config.yaml", "config/models.yaml", "config/tasks.yaml"),
    }
)


localrules:
    provenance,
    archive,
    archived_tables,
    check_results,


rule provenance:
    input:
        tables=collect("results/{model}/{table}.csv", model=MODELS, table=PUBLIC),
        weights=collect("results/{model}/weights", model=MODELS),
        predictions=collect(
            "results/{model}/predictions/{stage}.{family}.parquet",
            model=MODELS,
            stage=["extract_theta", "sweep_layers", "patch_variants"],
            family=FAMILIES,
        ),
        conflict=collect("results/{model}/predictions/sweep_conflict.parquet", model=MODELS),
        figures=collect("reports/figures/{figure}.csv", figure=FIGURES),  # their jobs say what they ran on
        library=library("scripts/provenance.py"),
    output:
        provenance="results/provenance.json",
        of_models=collect("results/{model}/provenance.json", model=MODELS),
        resources=report(
            "results/resources.csv",
            caption="../report/resources.rst",
            category="Provenance",
            labels={"model": "all", "table": "wall time and memory by rule"},
        ),
    log:
        "results/logs/provenance.log",
    conda:
        "../../envs/inference.yaml"
    params:
        config=config,
        families=FAMILIES,
        sources=SOURCES,
    message:
        "Provenance"
    script:
        "../scripts/provenance.py"


rule archive:
    input:
        tables=collect("results/{model}/{table}.csv", model=MODELS, table=PUBLIC),
        conclusions="results/conclusions.csv",
        provenance="results/provenance.json",
        resources="results/resources.csv",
        figures=collect("reports/figures/{figure}.{format}", figure=FIGURES, format=["svg", "pdf", "png", "csv"]),
        environment=["envs/requirements.txt", "envs/inference.yaml", "envs/analysis.yaml", "envs/report.yaml"],
        library=library("scripts/archive.py"),
    output:
        archive="reports/archive.zip",
        tables="reports/archive_tables.zip",
    log:
        "results/logs/archive.log",
    conda:
        "../../envs/report.yaml"
    message:
        "Archive: {output}"
    script:
        "../scripts/archive.py"


# Only where the configuration names an archive (config/archive.yaml).
rule archived_tables:
    input:
        archive=ARCHIVE or [],
        library=library("scripts/archived_tables.py"),
    output:
        tables=collect(f"{ARCHIVED}/{{model}}/{{table}}.csv", model=MODELS, table=PUBLIC),
        provenance=f"{ARCHIVED}/provenance.json",
        resources=f"{ARCHIVED}/resources.csv",
    log:
        f"{ARCHIVED}/logs/archived_tables.log",
    conda:
        "../../envs/analysis.yaml"
    message:
        "Archive: unpacking {input.archive}"
    script:
        "../scripts/archived_tables.py"


rule check_results:
    input:
        tables=collect("results/{model}/{table}.csv", model=MODELS, table=PUBLIC),
        archive="data/archive/default.zip",
        library=library("scripts/check_results.py"),
    output:
        verdicts="results/check_results.csv",
    log:
        "results/logs/check_results.log",
    conda:
        "../../envs/analysis.yaml"
    message:
        "Comparing the tables with {input.archive}"
    script:
        "../scripts/check_results.py"
