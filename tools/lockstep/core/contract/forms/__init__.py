"""What is said about contracts: a report, and its forms for people, pages and machines."""
