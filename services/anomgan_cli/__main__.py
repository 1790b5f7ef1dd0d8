"""`python -m anomgan_cli` is `anomgan`."""

from anomgan_cli.main import main

main()
