"""`anomgan demo`: everything at once on one machine."""

import webbrowser
from pathlib import Path

import click


@click.command()
@click.option(
    "--seconds", type=click.FloatRange(min=1), help="Seconds of detection after training; left out: until Ctrl-C."
)
@click.option("--headless", is_flag=True, help="Do not open the page in a browser.")
@click.option(
    "--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Other devices, noise and faults."
)
@click.option("--steps", type=click.IntRange(min=1), default=750, show_default=True, help="Training steps of a model.")
@click.option("--report", type=click.Path(path_type=Path), help="Write the figures as JSON at the end.")
@click.option("--port", type=click.IntRange(0, 65535), default=8050, show_default=True, help="Port of the dashboard.")
@click.option(
    "--folder",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("demo"),
    show_default=True,
    help="Where models, store, configurations and logs go; what an earlier demo left there is replaced.",
)
def demo(
    seconds: float | None, headless: bool, seed: int, steps: int, report: Path | None, port: int, folder: Path
) -> None:
    """See it work: simulated devices over MQTT, a GAN trained on their first stretch, faults found live, a dashboard.

    Starts a broker (mosquitto where it is installed, otherwise one from PyPI), five devices that run twenty times
    faster than life, trains one model per kind of device, then detects while the devices fail on schedule. At the
    end the figures are taken from the store and the ground truth. Ctrl-C ends everything.
    """
    from anomgan_demo import stages

    def open_page(url: str) -> object:
        return None if headless else webbrowser.open(url)

    stages.run(stages.DemoOptions(seconds, seed, steps, port, folder, report, open_page))
