"""`python -m connector` is `mplus-connector`."""

from connector.cli.main import main

if __name__ == "__main__":
    main()
