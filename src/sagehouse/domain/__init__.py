"""Pure decisions: values in, values out. No waiting, no files, no clock, no randomness."""
