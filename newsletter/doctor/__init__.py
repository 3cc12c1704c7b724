"""What an operator should know before readers do: each finding with its mend. It changes nothing."""
