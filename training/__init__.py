"""How the embedded demo model is made: the pictures it learns from, the training, the evaluation."""
