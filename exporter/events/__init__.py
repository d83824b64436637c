"""What an error is: the report as a worker sends it, and the event that is stored. Imports nothing else of this
project; everything else may import it."""
