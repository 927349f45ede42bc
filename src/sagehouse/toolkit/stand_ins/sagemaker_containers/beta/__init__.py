"""Where sagemaker_containers keeps what it shows to frameworks and scripts."""
