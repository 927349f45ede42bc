"""Pure decisions for endpoints: which variant answers, what a model needs, what happens next to a deployment."""
