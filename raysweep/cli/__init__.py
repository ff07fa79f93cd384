"""The command lines. Typer is here and nowhere else; nothing else imports this room."""
