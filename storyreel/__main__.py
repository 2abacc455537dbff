"""`python -m storyreel` is the command line."""

from storyreel.cli import main

if __name__ == "__main__":
    main()
