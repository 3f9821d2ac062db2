"""The one flow: `plan` lists episodes, `runner` drops those already scored, `episode` is the loop."""
