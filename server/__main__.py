"""`python -m parallama.server`, and the script `parallama`."""

from .cli import main

if __name__ == "__main__":
    main()
