"""Images: how they are made, where they are kept, and where they are looked for."""
