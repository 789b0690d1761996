"""Speed of the measures beside plain references, measured in one run; numbers are printed, never tested."""
