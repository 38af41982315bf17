from betavae_workshop import environment

if __name__ == "__main__":  # spawned workers import this module
    environment.start_anew()  # before anything from outside the standard library

    from betavae_workshop.cli import main

    main(prog_name="betavae")
