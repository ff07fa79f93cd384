"""What a plan takes: tokens, memory, time, money, and what of it is done already."""
