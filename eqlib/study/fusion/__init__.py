"""A cross-encoder on the study's dual encoder: where EqSim was published."""
