from betavae_core.cli import main

if __name__ == "__main__":  # spawned workers import this module
    main(prog_name="betavae")
