"""The commands: `fewshot-audio NAME ...`, and the files of scripts/."""
