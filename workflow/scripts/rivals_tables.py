"""Rule rivals_tables: rivals of θ side by side, effects of heads, and what is lost without the strongest."""

from taskvectors.job import current_job
from taskvectors.observations.rows import able_tasks
from taskvectors.questions.rivals.tables import ablation, doses, head_effects, rivals
from taskvectors.store.parquet import read_parquets
from taskvectors.store.tables import read_csv, write_csv

if __name__ == "__main__":
    with current_job() as job:
        model, kinds, seed = job.wildcards.model, job.params.kinds, job.params.seed
        able = able_tasks(read_csv(job.input.choice))
        write_csv(job.output.rivals, rivals(read_parquets([job.input.predictions]), model, kinds, able, seed))
        effects = read_parquets([job.input.effects])
        heads = len(effects[["layer", "head"]].drop_duplicates())
        write_csv(job.output.heads, head_effects(effects, model, seed))
        write_csv(job.output.doses, doses(read_parquets([job.input.doses]), model, heads, seed))
        write_csv(job.output.ablation, ablation(read_parquets([job.input.ablated]), model, kinds, seed))
