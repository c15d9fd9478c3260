"""django-oauth-toolkit as its documentation sets it up, on the same server, database server and Python."""
