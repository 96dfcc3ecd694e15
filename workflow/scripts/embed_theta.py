"""Rule embed_theta: t-SNE and UMAP pictures of θ at the common layer, and how far each can be trusted.

One for each seed of θ less the mean over tasks, which is what tells tasks apart; and, as in the paper, of θ as it is, at the first.
"""

import pandas as pd

from taskvectors.geometry import embed, picture_quality, raw_and_centred
from taskvectors.progress import reported, track
from taskvectors.tables import CENTRED, RAW, in_order, main_tasks, read_csv, write_csv
from taskvectors.thetas import read_thetas

METHODS = ("tsne", "umap")

if __name__ == "__main__":
    with reported(snakemake.log[0], "embed_theta"):
        chosen = main_tasks(read_csv(snakemake.input.choice))
        families = chosen.set_index("task")["family"]
        layer = int(chosen["common_layer"].iloc[0])
        theta, tasks, episodes = read_thetas(snakemake.input.theta, chosen["task"], "test")
        both = raw_and_centred(theta[:, layer], tasks)
        options = snakemake.params.embedding
        main = CENTRED if CENTRED in both else RAW
        pictures = [
            (states, method, seed)
            for states in both
            for method in METHODS
            for seed in (options["seeds"] if states == main else options["seeds"][:1])
        ]
        points, qualities = [], []
        for states, method, seed in track(pictures, len(pictures), "embed_theta", unit="picture"):
            theta = both[states]
            xy = embed(theta, method, options[method], seed)
            head = {"model": snakemake.wildcards.model, "family": families[tasks].to_numpy(), "task": tasks}
            place = {"method": method, "states": states, "seed": seed, "layer": layer}
            table = pd.DataFrame(head | place | {"episode": episodes, "x": xy[:, 0], "y": xy[:, 1]})
            points.append(in_order(table, chosen["task"]))
            quality = {"n": len(theta), "trustworthiness": picture_quality(theta, xy)}
            qualities.append({"model": snakemake.wildcards.model} | place | quality)
        write_csv(snakemake.output.embedding, pd.concat(points, ignore_index=True))
        write_csv(snakemake.output.quality, pd.DataFrame(qualities))
