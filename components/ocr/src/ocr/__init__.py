"""The ocr component."""
