# A finished study in one file, what it came from, and a study beside an archived one. Included last: it asks all other
# rules.

OWN = [rule for rule in workflow.rules if Path(rule.snakefile).is_relative_to(STUDY.root / "workflow")]
# Rules that leave records of jobs, by the names of their logs, which stay in another workflow; and whether they have a
# job for every family.
OWN_RULES = {Path(str(log)).name.split(".")[0]: by_family(rule) for rule in OWN for log in rule.log}
# What jobs of a model that this study asks for leave, with a stamp. Where provenance is written anew, Snakemake so makes
# again what is missing: the output of a job that was killed, whose tables of before still lie there.
ASKED = {rule for question in STUDY.questions for rule in question.reads}
STAMPED = [
    file[file.index("results/{model}/") :]  # without the place of a storage
    for rule in OWN
    if ASKED & {Path(str(log)).name.split(".")[0] for log in rule.log}
    for file in map(strip_wildcard_constraints, map(str, rule.output))
    if "results/{model}/" in file and file.endswith((".parquet", ".safetensors"))
]


rule provenance:
    input:
        tables=collect("results/{model}/{table}.csv", model=STUDY.models, table=STUDY.questions.tables),
        weights=collect("results/{model}/weights", model=STUDY.models),
        stamped=collect(STAMPED, model=STUDY.models, family=STUDY.families),
        figures=collect("reports/figures/{figure}.csv", figure=STUDY.questions.figures),  # their jobs say what they ran on
    output:
        provenance="results/provenance.json",
        of_models=collect("results/{model}/provenance.json", model=STUDY.models),
        resources=table("resources", folder="results"),
    log:
        "results/logs/provenance.log",
    localrule: True
    conda:
        "../../envs/inference.yaml"
    params:
        *code_of("provenance.py"),
        config=STUDY.config,
        families=STUDY.families,
        rules=OWN_RULES,
        sources=lambda wildcards: digests(STUDY.sources, STUDY.root),
    message:
        "Provenance"
    script:
        "../scripts/provenance.py"


rule archive:
    input:
        tables=collect("results/{model}/{table}.csv", model=STUDY.models, table=STUDY.questions.tables),
        study=[f"results/{name}.csv" for name in STUDY.questions.study_tables if name != "resources"],
        provenance="results/provenance.json",
        resources="results/resources.csv",
        figures=collect(
            "reports/figures/{figure}.{format}", figure=STUDY.questions.figures, format=["svg", "pdf", "png", "csv"]
        ),
        environment=[
            own(f"envs/{file}") for file in ("requirements.txt", "inference.yaml", "analysis.yaml", "report.yaml")
        ],
    output:
        archive="reports/archive.zip",
        tables="reports/archive_tables.zip",
    log:
        "results/logs/archive.log",
    localrule: True
    conda:
        "../../envs/report.yaml"
    params:
        *code_of("archive.py"),
    message:
        "Archive: {output}"
    script:
        "../scripts/archive.py"


# Only where the configuration names archives (config/archive.yaml).
rule archived_tables:
    input:
        archives=beside(STUDY.archives),
    output:
        tables=collect(f"{ARCHIVED}/{{model}}/{{table}}.csv", model=STUDY.models, table=STUDY.questions.tables),
        provenance=f"{ARCHIVED}/provenance.json",
        resources=f"{ARCHIVED}/resources.csv",
    log:
        f"{ARCHIVED}/logs/archived_tables.log",
    localrule: True
    conda:
        "../../envs/analysis.yaml"
    params:
        *code_of("archived_tables.py"),
        origins=STUDY.origins,
    message:
        "Archive: unpacking {input.archives}"
    script:
        "../scripts/archived_tables.py"


rule check_results:
    input:
        tables=collect("results/{model}/{table}.csv", model=STUDY.models, table=STUDY.questions.tables),
        archive=lambda wildcards: local(STUDY.shipped),
    output:
        verdicts="results/check_results.csv",
    log:
        "results/logs/check_results.log",
    localrule: True
    conda:
        "../../envs/analysis.yaml"
    params:
        *code_of("check_results.py"),
        kinds={name: STUDY.questions.all_tables[name]["compared"] for name in STUDY.questions.tables},
    message:
        "Comparing the tables with {input.archive}"
    script:
        "../scripts/check_results.py"
