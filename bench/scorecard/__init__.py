"""Twenty-one yes/no questions to any gateway, each with its evidence."""
