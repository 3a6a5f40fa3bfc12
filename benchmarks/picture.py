"""The ratios of the speed table as a picture."""

import matplotlib.pyplot as plt

TITLES = {
    "integrator": "Integrator, 100 LIF neurons",
    "ensemble_array": "Two ensemble arrays, 32 x 50 neurons",
    "pes": "PES learning",
    "bcm_voja": "BCM and Voja learning",
    "basal_ganglia": "Basal ganglia and thalamus",
    "cconv": "Circular convolution, 64 dimensions",
    "ensembles64": "64 ensembles, 256 connections",
    "ensembles500": "500 ensembles, 1,000 connections",
    "random_network": "40 ensembles, no two of a kind",
    "lmu": "Legendre memory unit",
    "conv": "Convolutional spiking network",
    "dense": "Dense spiking network",
}
COLOUR, GREY = "#0072B2", "0.45"
TICKS = (1, 2, 5, 10, 20, 50, 100, 200, 500)
ROOM = 1.5  # beyond the longest bar, for its number


def draw_ratios(rows, path, about):
    """Draw how many times faster than `nengo.Simulator` each network runs.

    Parameters
    ----------
    rows : list of dict
        As the speed table has them; those with a ratio for nengo_dl are drawn.
    path : str
        The file to write, of a type that matplotlib knows.
    about : str
        On what this was measured.
    """
    ratios = {
        TITLES.get(row["network"], row["network"]): row["faster"]
        for row in rows
        if row["backend"] == "nengo_dl"
    }
    names = sorted(ratios, key=ratios.get)
    values = [ratios[name] for name in names]
    plt.rcParams["font.size"] = 9
    figure, ax = plt.subplots(
        figsize=(7.2, 0.9 + 0.25 * len(names)), layout="constrained"
    )
    # bars start at 1: as fast as nengo.Simulator
    bars = ax.barh(names, [v - 1 for v in values], left=1, color=COLOUR, height=0.62)
    ax.bar_label(bars, [f"{value:.0f}" for value in values], padding=4)
    ax.set_xscale("log")
    ax.set_xticks(TICKS, TICKS)
    ax.minorticks_off()
    ax.set_xlim(min(1, *values), ROOM * max(values))
    ax.set_xlabel("times faster than nengo.Simulator, for each step")
    figure.supxlabel(about, fontsize=7, color=GREY)
    ax.axvline(1, color="black", linewidth=0.8)
    ax.tick_params(axis="y", length=0)
    ax.tick_params(axis="x", colors=GREY)
    ax.spines[["top", "right", "left"]].set_visible(False)
    ax.spines["bottom"].set_color(GREY)
    figure.savefig(path, dpi=120)
    plt.close(figure)
