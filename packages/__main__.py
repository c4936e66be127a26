"""``python -m packages``: list, build, check and predict."""

from cyclopts import App

from packages.cli import run

# A verb is imported when it is called: the others need not be waited for.
app = App(name="python -m packages", help="Make, check and run packages of the BioImage Model Zoo.")
app.command("packages.rooms:show", name="list", help="Show the models that can be built.")
app.command("packages.build:build", help="Make one zip of a model.")
app.command(
    "packages.check:check", help="Check packages: what the zoo tests, and what it does not."
)
app.command(
    "packages.predict:predict_file",
    name="predict",
    help="Restore an image, a stack, or every image of a folder.",
)

if __name__ == "__main__":
    run(app)
