"""What a fetch needs: what is missing, who has it, and how it comes."""
