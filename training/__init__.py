"""How the embedded demo model is made: the pictures it learns from, the training, the evaluation."""

import os

# Threads that wait for each other in a loop get nothing done on a busy machine: a step takes four times as long there.
# It is read when torch is loaded, hence here.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
