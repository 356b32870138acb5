"""Train in this folder:  python train.py model=mine data=mine   (--help shows every choice)"""

from trainyard import main

# Hydra completes `python train.py` in a shell where a file contains the word @hydra.main.
if __name__ == "__main__":
    main(["train"])
