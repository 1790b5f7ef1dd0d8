"""The adversarial part: three small convolutional networks, their losses and the training loop."""
