"""Train one network on one dataset:  python train.py model=resnet18 data=cifar10   (--help shows every choice)"""

from trainyard import main

# Hydra 1.4 completes `python train.py` in a shell where a file contains the word @hydra.main.
if __name__ == "__main__":
    main(["train"])
