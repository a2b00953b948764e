"""Python objects by name: any class that the user trusts."""
