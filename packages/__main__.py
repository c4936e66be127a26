"""``python -m packages``: list, build, check and predict."""

from cyclopts import App

from packages.cli import run

# A verb is imported when it is called: the others need not be waited for.
app = App(name="python -m packages", help="Make, check and run packages of the BioImage Model Zoo.")
app.command("packages.rooms:show", name="list")
app.command("packages.build:build")
app.command("packages.check:check")
app.command("packages.predict:predict_file", name="predict")

if __name__ == "__main__":
    run(app)
