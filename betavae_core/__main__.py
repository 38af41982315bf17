from betavae_core.cli import main

main(prog_name="betavae")
