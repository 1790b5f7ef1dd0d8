"""`anomgan`: one program, one file per command.

An error that anomgan raises on purpose is one line on stderr and exit status 2; any other keeps its traceback.
"""

import os
import sys
from collections.abc import Sequence

import click

from anomgan.errors import AnomganError
from anomgan_cli.annotations import annotations
from anomgan_cli.augment import augment
from anomgan_cli.benchmark import benchmark
from anomgan_cli.dashboard import dashboard
from anomgan_cli.demo import demo
from anomgan_cli.detect import detect
from anomgan_cli.evaluate import evaluate
from anomgan_cli.export import export
from anomgan_cli.feedback import feedback, mute, unmute
from anomgan_cli.fidelity import fidelity
from anomgan_cli.generate import generate
from anomgan_cli.homeassistant import homeassistant
from anomgan_cli.impute import impute
from anomgan_cli.inspect import inspect
from anomgan_cli.journal import journal
from anomgan_cli.judge import judge
from anomgan_cli.kinds import kinds
from anomgan_cli.listen import listen
from anomgan_cli.models import models
from anomgan_cli.privacy import privacy
from anomgan_cli.record import record
from anomgan_cli.reliability import reliability
from anomgan_cli.score import score
from anomgan_cli.simulate import simulate
from anomgan_cli.terminal import guard_warnings, say
from anomgan_cli.train import train
from anomgan_cli.transfer import transfer
from anomgan_cli.upsample import upsample

COMMANDS: dict[str, click.Command] = {
    "demo": demo,
    "train": train,
    "evaluate": evaluate,
    "score": score,
    "inspect": inspect,
    "listen": listen,
    "detect": detect,
    "feedback": feedback,
    "mute": mute,
    "unmute": unmute,
    "models": models,
    "journal": journal,
    "record": record,
    "export": export,
    "simulate": simulate,
    "kinds": kinds,
    "judge": judge,
    "annotations": annotations,
    "generate": generate,
    "augment": augment,
    "impute": impute,
    "upsample": upsample,
    "transfer": transfer,
    "dashboard": dashboard,
    "homeassistant": homeassistant,
    "fidelity": fidelity,
    "benchmark": benchmark,
    "reliability": reliability,
    "privacy": privacy,
}


@click.group(commands=COMMANDS, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="anomgan", message="%(prog)s %(version)s")
def cli() -> None:
    """Find anomalies in sensor data with a generative adversarial network.

    A 1D-convolutional GAN learns from normal readings what windows of a device's channels look like. Each new
    window gets a surprise: -log10 of the probability that a normal window looks this odd, told by the
    discriminator, the reconstruction and the distance from normal windows together. From an alarm budget ("at most one
    false alarm a week") follows the threshold; runs of anomalous windows become events that name the channels
    and what was expected of them.

    \b
    anomgan demo                                                    all of it, live, on this machine
    anomgan train pump.csv --rows :400 --out pump.safetensors       learn from your own data
    anomgan evaluate pump.safetensors pump.csv --label anomaly      compare with labels
    anomgan listen localhost                                        what is on a broker? writes detector.toml
    anomgan detect detector.toml                                    score live MQTT telemetry
    """


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and leave with its exit status: 0, 1 (crash), 2 (wrong input), 130 (Ctrl-C)."""
    guard_warnings()
    try:
        status = cli.main(args=arguments, prog_name="anomgan", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        status = error.exit_code
    except (click.Abort, KeyboardInterrupt):
        say("anomgan: interrupted", err=True)
        status = 130
    except AnomganError as error:
        for line in str(error).splitlines():
            say(f"anomgan: error: {line}", err=True)
        status = 2
    except BrokenPipeError:  # the reader of our output has left, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = 1
    sys.exit(status or 0)
