"""The rules of verify, by what they are about; every.py has all of them. One of them alone imports no other."""
