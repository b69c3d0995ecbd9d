"""The hello component."""
