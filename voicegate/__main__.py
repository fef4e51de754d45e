"""`python -m voicegate`, and the `voicegate` script."""

from voicegate.cli.main import main

if __name__ == "__main__":
    main(prog_name="voicegate")
