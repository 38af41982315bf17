import sys

from betavae_workshop import environment

if __name__ == "__main__":  # spawned workers import this module
    environment.start_anew()  # before anything from outside the standard library

    try:
        from betavae_workshop.cli import main
    except KeyboardInterrupt:  # so early; later ones are the command line's
        print("betavae: interrupted", file=sys.stderr)
        sys.exit(130)
    main(prog_name="betavae")
