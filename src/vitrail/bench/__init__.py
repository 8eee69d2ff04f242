"""What a model costs: parameters, multiply-accumulates, memory, images a second."""
