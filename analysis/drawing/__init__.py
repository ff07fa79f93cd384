"""How tables and figures look: panels, tables with few rules, colours."""
