"""Rule embed_theta: t-SNE and UMAP pictures of θ at the common layer, one for each seed, and how far each can be trusted."""

import pandas as pd

from taskvectors.geometry import embed, picture_quality
from taskvectors.progress import reported, track
from taskvectors.tables import in_order, main_tasks, read_csv, write_csv
from taskvectors.thetas import read_thetas

METHODS = ("tsne", "umap")

if __name__ == "__main__":
    with reported(snakemake.log[0], "embed_theta"):
        chosen = main_tasks(read_csv(snakemake.input.choice))
        families = chosen.set_index("task")["family"]
        layer = int(chosen["common_layer"].iloc[0])
        theta, tasks, episodes = read_thetas(snakemake.input.theta, chosen["task"], "test")
        theta = theta[:, layer]
        options = snakemake.params.embedding
        pictures = [(method, seed) for method in METHODS for seed in options["seeds"]]
        points, qualities = [], []
        for method, seed in track(pictures, len(pictures), "embed_theta", unit="picture"):
            xy = embed(theta, method, options[method], seed)
            head = {"model": snakemake.wildcards.model, "family": families[tasks].to_numpy(), "task": tasks}
            place = {"method": method, "seed": seed, "layer": layer}
            table = pd.DataFrame(head | place | {"episode": episodes, "x": xy[:, 0], "y": xy[:, 1]})
            points.append(in_order(table, chosen["task"]))
            quality = {"n": len(theta), "trustworthiness": picture_quality(theta, xy)}
            qualities.append({"model": snakemake.wildcards.model} | place | quality)
        write_csv(snakemake.output.embedding, pd.concat(points, ignore_index=True))
        write_csv(snakemake.output.quality, pd.DataFrame(qualities))
