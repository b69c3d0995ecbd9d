"""What only settings can give: rules about a forge, a registry and a machine, decided from what these answered."""
