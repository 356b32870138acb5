"""Train one network on one dataset:  python train.py model=resnet18 data=cifar10   (--help shows every choice)"""

from trainyard import main

if __name__ == "__main__":
    main(["train"])
