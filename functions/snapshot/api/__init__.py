"""What talks to the fine-tuning API. It knows no AWS."""
