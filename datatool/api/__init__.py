"""The Python interface: what `import datatool` offers by name, quiet and typed, over the operations of the commands."""
