"""Start here: reads the configuration, builds every room, joins them, runs the loop; the command line. Nobody imports it."""
