"""Fine-tuning: batches that are a function of seed and step, objectives of named terms, a loop that fits a screen."""
