"""The paper's datasets: for each its raw schema, its files, its copy on the hub, its template."""
