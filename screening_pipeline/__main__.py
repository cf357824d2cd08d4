"""`python -m screening_pipeline` is `screening-pipeline`."""

from screening_pipeline.cli.app import main

main()
