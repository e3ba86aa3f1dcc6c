"""The client of the fine-tuning API. Nothing here uses AWS."""
