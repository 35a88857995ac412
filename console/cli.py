"""The command line. Imports nothing heavy before a command needs it."""

import click

from console.commands import collect, forecast, interventions, isaac, run, sessions, setup, so101, study
from console.commands.common import Commands

HOMES = {
    "context_settings": {
        "help_option_names": ["-h", "--help"],
        "token_normalize_func": lambda name: name.replace("_", "-"),  # underscores work too
    }
}


class Entry(Commands):
    """The whole program: a bare call, or a call that begins with an option, is ``run``."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        own = {"--help", "-h", "--version"}
        asked = not ctx.resilient_parsing  # a shell that completes a word has not made its call yet
        if (args[0].startswith("-") and args[0] not in own) if args else asked:
            args = ["run", *args]
        return super().parse_args(ctx, args)


@click.group("main", cls=Entry, **HOMES)
@click.version_option(package_name="sawhorse")
def main() -> None:
    """An operator's console for a robot that saws together with a person. NOT SAFETY-RATED.

    Without a command: the live console on the simulated cell. The options of `run`, such as --robot, work without the word run too: see
    `sawhorse run --help`.
    """


for command in (
    run.run,
    run.attach,
    run.stop,
    run.replay,
    sessions.sessions,
    collect.collect,
    study.train,
    study.evaluate,
    study.bench,
    study.screenshots,
    so101.find_port,
    so101.calibrate,
    so101.smoke,
    isaac.isaac,
    setup.doctor,
    setup.config,
    setup.completion,
):
    main.add_command(command)
study.evaluate.add_command(interventions.interventions)
study.train.add_command(forecast.train)
study.evaluate.add_command(forecast.evaluate)
